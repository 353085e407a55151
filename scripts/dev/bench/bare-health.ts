/** A bare Fastify server with the seed agent's `/health`: prints where it listens. */
import Fastify from "fastify";

const app = Fastify();
app.get("/health", async () => ({ status: "ok", node: "bare", version: "v0" }));
process.stdout.write(`${await app.listen({ host: "127.0.0.1", port: 0 })}\n`);
