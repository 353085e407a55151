/** Stands in for the service in tests of its image and its deployments: its health, its settings, and what it loads. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { transform } from "esbuild";
import Fastify from "fastify";
import ts from "typescript";

const { env } = process;
const app = Fastify();
const started = Date.now();
/** The first request for it makes the service unhealthy. */
let isHealthy = env["STAND_IN_UNHEALTHY"] !== "true";

app.get("/health", async (_, reply) =>
  reply.code(isHealthy ? 200 : 503).send({ status: isHealthy ? "ok" : "degraded" }),
);
app.get("/break", async () => {
  isHealthy = false;
  return {};
});
app.get("/about", async () => {
  const secrets = env["SEED_SECRETS_FILE"];
  const isThere = secrets !== undefined && existsSync(secrets);
  return {
    started,
    release: env["SEED_RELEASE"],
    node: env["SEED_NODE"],
    typescript: ts.version,
    esbuild: (await transform("let one: number = 1", { loader: "ts" })).code.trim(),
    secrets: isThere ? Object.keys(JSON.parse(readFileSync(secrets, "utf8"))).sort() : [],
    secretsMode: isThere ? (statSync(secrets).mode & 0o777).toString(8) : undefined,
  };
});
const address = await app.listen({ port: Number(env["PORT"] ?? 4000), host: env["SEED_HOST"] ?? "127.0.0.1" });
process.stdout.write(`listens at ${address}\n`);
process.once("SIGTERM", () => void app.close());
