import { STATUS_CODES } from "node:http";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import * as z from "zod/mini";
import english from "zod/v4/locales/en.js";
import { agentRoutes } from "./agent-routes.ts";
import { bearerTokens, type Right } from "./auth.ts";
import { isLoopbackAddress, rejectForeignPages } from "./browser-check.ts";
import { closeGracefully } from "./close-gracefully.ts";
import { controlRoutes } from "./control-routes.ts";
import { healthRoutes, quickHealth } from "./health-routes.ts";
import { knownRoutes } from "./known-routes.ts";
import { documentRoute, openApi } from "./open-api.ts";
import { type SeedServerParts, type ServerLimits, serverLimits } from "./parts.ts";
import { asProblem, Problem, statuses } from "./problem.ts";

/** Creates the server of the HTTP endpoints; see `api.ts`. The caller must call `listen`. `close` finishes current requests. */
export function seedServer(parts: SeedServerParts, changed: Partial<ServerLimits> = {}): FastifyInstance {
  const { settings, events } = parts;
  const limits = { ...serverLimits, ...changed };
  // zod/mini comes without messages.
  z.config(english());
  const app = Fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: limits.controlBody,
    requestTimeout: limits.requestMilliseconds,
    // Also ends the connection of a client that does not read its answer.
    connectionTimeout: Math.max(60, settings.SEED_CALL_SECONDS + 30) * 1000,
    keepAliveTimeout: limits.keepAliveMilliseconds,
    return503OnClosing: true,
    exposeHeadRoutes: true,
    http: {
      maxHeaderSize: limits.headers,
      headersTimeout: limits.headersMilliseconds,
      connectionsCheckingInterval: limits.slowCheckMilliseconds,
      requireHostHeader: true,
    },
    routerOptions: { maxParamLength: 64, ignoreDuplicateSlashes: false, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => sendError(error, request, reply),
    clientErrorHandler(error, socket) {
      // The socket may be gone, or in the middle of an answer.
      if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy();
      const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
      const body = JSON.stringify({
        code: status === 408 ? "timeout" : "invalid",
        message: `${STATUS_CODES[status]}.`,
      });
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
          `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);

  const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    let problem = asProblem(error);
    if (problem === undefined) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      events.log("error", "A request failed", { method: request.method, route: request.routeOptions.url, error: text });
      problem = new Problem("internal", "The service failed. Its log contains the reason.");
    }
    reply.code(statuses[problem.code]).headers(problem.headers).type("application/json; charset=utf-8");
    return reply.send({ code: problem.code, message: problem.message });
  };
  app.setErrorHandler(sendError);

  const known = knownRoutes(app);
  app.setNotFoundHandler((request, reply) => {
    const methods = known.methodsAt(request.url);
    if (methods.length === 0) {
      return sendError(
        new Problem("not found", "There is no such endpoint. /openapi.json lists all endpoints."),
        request,
        reply,
      );
    }
    const allow = [...methods, "OPTIONS"].join(", ");
    if (request.method === "OPTIONS") return reply.code(204).header("allow", allow).send();
    const message = `${request.method} is not allowed here. Allowed are ${allow}.`;
    return sendError(new Problem("method not allowed", message, { allow }), request, reply);
  });

  const check = bearerTokens(
    { control: settings.SEED_CONTROL_TOKEN, metrics: settings.SEED_METRICS_TOKEN },
    { onFailure: (address) => events.log("warn", "A wrong token was refused", { address }) },
  );
  const needs = (right: Right) => (request: FastifyRequest, _reply: FastifyReply, done: () => void) => {
    check(right, { authorization: request.headers.authorization, address: request.socket.remoteAddress ?? "" });
    done();
  };

  app.register(swagger, openApi(parts.release));
  app.register(quickHealth(parts));
  const isLoopback = isLoopbackAddress(settings.SEED_HOST);
  app.register(async (guarded) => {
    guarded.addHook("onRequest", (request, reply, done) => {
      reply.header("x-content-type-options", "nosniff");
      rejectForeignPages(request.headers, isLoopback);
      done();
    });
    guarded.register(documentRoute);
    guarded.register(healthRoutes(parts, settings.SEED_METRICS_PUBLIC ? undefined : needs("metrics")));
    guarded.register(controlRoutes(parts, needs("control")), { prefix: "/control" });
    guarded.register(agentRoutes(parts, limits, settings.SEED_AGENT_PUBLIC ? undefined : needs("control")));
    if (parts.peerRoutes !== undefined) guarded.register(parts.peerRoutes, { prefix: "/cluster" });
  });
  closeGracefully(app, settings.SEED_CALL_SECONDS * 1000 + limits.graceMilliseconds);
  return app;
}
