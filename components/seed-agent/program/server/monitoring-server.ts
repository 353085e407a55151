import Fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { closeGracefully } from "./close-gracefully.ts";
import { healthRoutes, quickHealth } from "./health-routes.ts";
import type { SeedServerParts } from "./parts.ts";

/**
 * `/health`, `/health/deep` and `/metrics` without a token, for a port that only a platform's monitoring reaches. Fly's
 * Prometheus sends no token and its checks would have it in plain text; and a NetworkPolicy of Kubernetes restricts ports,
 * not paths.
 */
export function monitoringServer(parts: Pick<SeedServerParts, "health" | "events">): FastifyInstance {
  const app = Fastify({ logger: false, trustProxy: false, bodyLimit: 1024, requestTimeout: 30_000 });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((_error, _request, reply) =>
    reply.code(500).send({ code: "internal", message: "The service failed at this; its log says why." }),
  );
  app.register(quickHealth(parts));
  app.register(healthRoutes(parts, undefined));
  closeGracefully(app, 5000);
  return app;
}
