import type { FastifyPluginAsync, onRequestHookHandler } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import * as z from "zod/mini";
import { deepHealth, health, problem } from "./api.ts";
import { answers, textOrJson } from "./open-api.ts";
import type { SeedServerParts } from "./parts.ts";

/** `/health`. It gets most requests, contains no secret and is open to everybody, so no hook runs for it. */
export function quickHealth({ health: checks }: Pick<SeedServerParts, "health">): FastifyPluginAsync {
  return async (app) => {
    app.get(
      "/health",
      {
        schema: {
          tags: ["health"],
          summary: "Whether this node serves",
          response: { 200: health, 500: problem },
        },
        serializerCompiler: () => JSON.stringify,
      },
      (_request, reply) => {
        reply.send(checks.quick());
      },
    );
  };
}

/** `/health/deep` and `/metrics`. */
export function healthRoutes(
  { health: checks, events }: Pick<SeedServerParts, "health" | "events">,
  authorize: onRequestHookHandler | undefined,
): FastifyPluginAsync {
  return async (plain) => {
    const app = plain.withTypeProvider<ZodTypeProvider>();
    const guarded = authorize === undefined ? {} : { onRequest: authorize };
    const tokens = { security: authorize === undefined ? [] : [{ metricsToken: [] }, { controlToken: [] }] };
    const refused = authorize === undefined ? [] : (["unauthorized", "too many attempts"] as const);
    app.get(
      "/health/deep",
      {
        ...guarded,
        schema: {
          tags: ["health"],
          summary: "The result of each check; 503 if one fails that is not advisory",
          ...tokens,
          response: { ...answers({ 200: deepHealth }, refused), 503: deepHealth },
        },
      },
      async (_request, reply) => {
        const result = await checks.deep();
        const fails = result.checks.some(({ ok, advisory }) => !ok && advisory !== true);
        return reply.code(fails ? 503 : 200).send(result);
      },
    );
    app.get(
      "/metrics",
      {
        ...guarded,
        schema: {
          tags: ["health"],
          summary: "Metrics, in Prometheus' text format",
          ...tokens,
          response: {
            ...answers({}, [...refused, "unavailable"]),
            200: { description: "OK", content: { "text/plain": { schema: z.string() } } },
          },
        },
        serializerCompiler: () => textOrJson,
      },
      async (_request, reply) => {
        const { contentType, body } = await events.exposition();
        return reply.type(contentType).send(body);
      },
    );
  };
}
