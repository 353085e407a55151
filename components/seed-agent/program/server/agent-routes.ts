import type { FastifyPluginAsync, FastifySchema, HTTPMethods, onRequestHookHandler } from "fastify";
import * as z from "zod/mini";
import { agentRoot, fromAgentResponse, toAgentRequest } from "./agent-messages.ts";
import { answers, textOrJson } from "./open-api.ts";
import type { SeedServerParts, ServerLimits } from "./parts.ts";
import { Problem, type ProblemCode } from "./problem.ts";

const methods: HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** The routes of the agent, whose code is not trusted. `agent-messages.ts` filters requests and answers. */
export function agentRoutes(
  { live }: SeedServerParts,
  { agentBody: bodyLimit, agentRequests }: ServerLimits,
  authorize: onRequestHookHandler | undefined,
): FastifyPluginAsync {
  return async (app) => {
    let underWay = 0;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "string", bodyLimit }, (_request, body, done) => done(null, body));
    const refused: ProblemCode[] = authorize === undefined ? [] : ["unauthorized", "too many attempts"];
    const schema: FastifySchema = {
      tags: ["agent"],
      summary: "The agent's own answer, without headers that could harm others",
      security: authorize === undefined ? [] : [{ controlToken: [] }],
      response: {
        ...answers({}, [...refused, "invalid", "too large", "unsupported media type", "bad answer", "unavailable"]),
        default: { description: "The agent's answer", content: { "*/*": { schema: z.string() } } },
      },
    };
    for (const url of [agentRoot, `${agentRoot}/*`]) {
      app.route({
        method: methods,
        url,
        bodyLimit,
        exposeHeadRoute: false,
        ...(authorize === undefined ? {} : { onRequest: authorize }),
        schema,
        // The agent's body is not JSON of the service, whatever its status is.
        serializerCompiler: () => textOrJson,
        async handler(request, reply) {
          const { method, headers, body } = request;
          const asked = toAgentRequest({
            ...{ method, url: request.raw.url ?? url, headers },
            body: typeof body === "string" ? body : "",
          });
          if (underWay >= agentRequests) {
            const message = `The agent is busy with ${agentRequests} requests. Try again.`;
            throw new Problem("unavailable", message, { "retry-after": "1" });
          }
          underWay++;
          try {
            const answer = fromAgentResponse(await live.handle(asked), asked.path);
            return reply.code(answer.status).headers(answer.headers).send(answer.body);
          } finally {
            underWay--;
          }
        },
      });
    }
  };
}
