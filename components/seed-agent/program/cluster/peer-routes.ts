import type {} from "@fastify/swagger";
import type { FastifyPluginAsync, FastifyReply } from "fastify";
import { type Answer, type Authentication, mostBytes } from "./authentication.ts";

/** What peers call, below `/cluster`. They prove themselves in it, so it needs no token. */
export function peerRoutes(authentication: Authentication): FastifyPluginAsync {
  const send = (reply: FastifyReply, { status, body }: Answer) =>
    reply.code(status).header("cache-control", "no-store").send(body);
  return async (app) => {
    app.get("/challenge", { schema: { hide: true } }, (_request, reply) =>
      send(reply, authentication.answerChallenge()),
    );
    app.post("/hello", { bodyLimit: mostBytes, schema: { hide: true } }, ({ body }, reply) =>
      send(reply, authentication.answerHello(body)),
    );
  };
}
