/** The service: `node main.ts`. Until its parts are joined it only says that it runs. */
import { createServer } from "node:http";

const { PORT = "4000", SEED_HOST = "127.0.0.1", SEED_NODE = "node" } = process.env;
const server = createServer((request, response) => {
  const isHealth = request.url === "/health";
  response.writeHead(isHealth ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(isHealth ? { status: "ok", node: SEED_NODE, version: "v0" } : { code: "not found" }));
});
server.listen(Number(PORT), SEED_HOST, () => process.stdout.write(`listens at ${SEED_HOST}:${PORT}\n`));
process.once("SIGTERM", () => server.close(() => process.exit(0)));
