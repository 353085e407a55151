import Fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { closeGracefully } from "./close-gracefully.ts";
import { healthRoutes, quickHealth } from "./health-routes.ts";
import type { SeedServerParts } from "./parts.ts";

/**
 * `/health`, `/health/deep` and `/metrics` without a token, on a port that only a platform's monitoring can reach. Fly's
 * Prometheus can't send a token, Fly's checks would contain it in plain text, and a NetworkPolicy of Kubernetes can restrict
 * ports, but not paths.
 */
export function monitoringServer(parts: Pick<SeedServerParts, "health" | "events">): FastifyInstance {
  const app = Fastify({ logger: false, trustProxy: false, bodyLimit: 1024, requestTimeout: 30_000 });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((_error, _request, reply) =>
    reply.code(500).send({ code: "internal", message: "The service failed. Its log contains the reason." }),
  );
  app.register(quickHealth(parts));
  app.register(healthRoutes(parts, undefined));
  closeGracefully(app, 5000);
  return app;
}
