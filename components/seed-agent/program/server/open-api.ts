import type { SwaggerOptions } from "@fastify/swagger";
import type { FastifyPluginAsync } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import * as z from "zod/mini";
import { problem } from "./api.ts";
import { type ProblemCode, statuses } from "./problem.ts";

/** Errors that any endpoint may return. */
const always: readonly ProblemCode[] = ["forbidden", "internal"];

/** A route's responses for its schema: the successful ones, and the errors that it may return. */
export function answers<Good extends Readonly<Record<number, z.ZodMiniType>>>(
  good: Good,
  problems: readonly ProblemCode[],
): Good & ErrorAnswers {
  const errors = [...always, ...problems].map((code) => [statuses[code], problem] as const);
  // The type contains every error, so that a handler may send any of them.
  return { ...(Object.fromEntries(errors) as ErrorAnswers), ...good };
}

type ErrorAnswers = Readonly<Record<(typeof statuses)[ProblemCode], typeof problem>>;

/** Serializes texts unchanged, and errors as JSON. */
export function textOrJson(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}

/** `/openapi.json`. */
export const documentRoute: FastifyPluginAsync = async (app) => {
  app.get(
    "/openapi.json",
    {
      schema: {
        tags: ["health"],
        summary: "This document",
        response: answers({ 200: z.record(z.string(), z.unknown()) }, []),
      },
      serializerCompiler: () => JSON.stringify,
    },
    async () => app.swagger(),
  );
};

/** Options for the OpenAPI 3.1 document, which is made from the routes' schemas. */
export function openApi(release: string): SwaggerOptions {
  return {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Seed agent",
        description: "The control, health and metrics endpoints of a seed agent, and the agent itself.",
        version: release,
      },
      components: {
        securitySchemes: {
          controlToken: { type: "http", scheme: "bearer", description: "SEED_CONTROL_TOKEN" },
          metricsToken: { type: "http", scheme: "bearer", description: "SEED_METRICS_TOKEN" },
        },
      },
    },
    transform(route) {
      const { schema, url } = jsonSchemaTransform(route);
      return { schema, url: url.replace("*", "{path}") };
    },
  };
}
