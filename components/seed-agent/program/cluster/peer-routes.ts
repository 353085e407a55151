import type {} from "@fastify/swagger";
import type { FastifyPluginAsync, FastifyReply } from "fastify";
import { type Answer, type Authentication, maxBytes } from "./authentication.ts";

/** The routes that peers call, below `/cluster`. They need no token: the protocol authenticates peers itself. */
export function peerRoutes(authentication: Authentication): FastifyPluginAsync {
  const send = (reply: FastifyReply, { status, body }: Answer) =>
    reply.code(status).header("cache-control", "no-store").send(body);
  return async (app) => {
    app.get("/challenge", { schema: { hide: true } }, (_request, reply) =>
      send(reply, authentication.answerChallenge()),
    );
    app.post("/hello", { bodyLimit: maxBytes, schema: { hide: true } }, ({ body }, reply) =>
      send(reply, authentication.answerHello(body)),
    );
  };
}
