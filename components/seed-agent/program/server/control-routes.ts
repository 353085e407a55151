import { Socket } from "node:net";
import type { FastifyPluginAsync, onRequestHookHandler } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { change, submission, version } from "../domain.ts";
import { versionOf } from "../pipeline/parts.ts";
import {
  auditLog,
  auditQuery,
  changeDiff,
  changeList,
  changeParams,
  changesQuery,
  improveBody,
  improvement,
  reasonBody,
  status,
  versionList,
  versionParams,
  versionsQuery,
} from "./api.ts";
import { answers } from "./open-api.ts";
import type { SeedServerParts } from "./parts.ts";
import { Problem, type ProblemCode } from "./problem.ts";
import { readStatus } from "./status.ts";

/** The actor in the audit log: there is one token, and one owner. */
const owner = "owner";

/** The routes below `/control`; see `api.ts`. */
export function controlRoutes(parts: SeedServerParts, authorize: onRequestHookHandler): FastifyPluginAsync {
  const { pipeline, store, improve } = parts;
  const common: ProblemCode[] = ["unauthorized", "too many attempts", "unavailable"];
  const read: ProblemCode[] = [...common, "invalid"];
  const write: ProblemCode[] = [...read, "too large", "unsupported media type", "conflict", "full"];
  const about = { tags: ["control"], security: [{ controlToken: [] }] };

  return async (plain) => {
    const app = plain.withTypeProvider<ZodTypeProvider>();
    app.addHook("onRequest", authorize);
    app.addHook("onSend", (_request, reply, _payload, done) => {
      reply.header("cache-control", "no-store");
      done();
    });
    // Some clients send the content type even without a body.
    app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
      if (body === "") return done(null, undefined);
      return app.getDefaultJsonParser("error", "error")(request, String(body), done);
    });

    app.get(
      "/status",
      {
        schema: {
          ...about,
          summary: "The state of this node and its cluster",
          response: answers({ 200: status }, common),
        },
      },
      () => readStatus(parts),
    );
    app.post(
      "/changes",
      { schema: { ...about, summary: "Submit a change", body: submission, response: answers({ 201: change }, write) } },
      async (request, reply) => {
        const made = await pipeline.submit(request.body, { author: owner, activation: "by a person" });
        return reply.code(201).header("location", `/control/changes/${made.id}`).send(made);
      },
    );
    app.get(
      "/changes",
      {
        schema: {
          ...{ ...about, summary: "Changes, newest first", querystring: changesQuery },
          response: answers({ 200: changeList }, read),
        },
      },
      async ({ query: { state, limit } }) => ({
        changes: [...(await store.changes({ limit, ...(state === undefined ? {} : { states: [state] }) }))],
      }),
    );
    app.get(
      "/changes/:id",
      {
        schema: {
          ...{ ...about, summary: "A change with its report", params: changeParams },
          response: answers({ 200: change }, [...read, "not found"]),
        },
      },
      async ({ params: { id } }) => {
        const found = await store.change(id);
        if (found === undefined) throw new Problem("not found", `There is no change ${id}.`);
        return found;
      },
    );
    app.get(
      "/changes/:id/diff",
      {
        schema: {
          ...{ ...about, summary: "The unified diff of a change", params: changeParams },
          response: answers({ 200: changeDiff }, [...read, "not found"]),
        },
      },
      async ({ params: { id } }) => ({ diff: await pipeline.diff(id) }),
    );
    for (const verb of ["approve", "reject"] as const) {
      app.post(
        `/changes/:id/${verb}`,
        {
          preValidation: emptyBody,
          schema: {
            ...{ ...about, summary: `${verb === "approve" ? "Approve" : "Reject"} a change` },
            ...{ params: changeParams, body: reasonBody },
            response: answers({ 200: change }, [...write, "not found"]),
          },
        },
        ({ params: { id }, body: { reason } }) => pipeline[verb](id, owner, reason),
      );
    }
    app.get(
      "/versions",
      {
        schema: {
          ...{ ...about, summary: "Versions, newest first", querystring: versionsQuery },
          response: answers({ 200: versionList }, read),
        },
      },
      async ({ query: { limit } }) => {
        const { sources: _, bundle: __, testBundle: ___, ...first } = await parts.firstVersion();
        return { versions: [...(await store.versions(limit)), first].slice(0, limit) };
      },
    );
    app.get(
      "/versions/:id",
      {
        schema: {
          ...{ ...about, summary: "A version with its sources and bundle", params: versionParams },
          response: answers({ 200: version }, [...read, "not found"]),
        },
      },
      async ({ params: { id } }) => {
        const found = await versionOf(id, parts);
        if (found === undefined) throw new Problem("not found", `There is no version ${id}.`);
        return found;
      },
    );
    app.post(
      "/versions/:id/activate",
      {
        preValidation: emptyBody,
        schema: {
          ...{ ...about, summary: "Activate an old version again", params: versionParams, body: reasonBody },
          response: answers({ 200: change }, [...write, "not found"]),
        },
      },
      ({ params: { id }, body: { reason } }) => pipeline.activateVersion(id, owner, reason),
    );
    app.post(
      "/rollback",
      {
        preValidation: emptyBody,
        schema: {
          ...{ ...about, summary: "Return to the version before the active one", body: reasonBody },
          response: answers({ 200: change }, [...write, "not found"]),
        },
      },
      ({ body: { reason } }) => pipeline.rollBack(owner, reason),
    );
    app.get(
      "/audit",
      {
        schema: {
          ...{ ...about, summary: "Decisions, newest first", querystring: auditQuery },
          response: answers({ 200: auditLog }, read),
        },
      },
      async ({ query: { limit, before, change } }) => ({
        entries: [
          ...(await store.auditLog({
            limit,
            ...(before === undefined ? {} : { before }),
            ...(change === undefined ? {} : { change }),
          })),
        ],
      }),
    );
    for (const verb of ["pause", "resume"] as const) {
      const summary = verb === "pause" ? "Pause the queue" : "Resume the queue";
      app.post(`/${verb}`, { schema: { ...about, summary, response: answers({ 200: status }, write) } }, async () => {
        await pipeline[verb](owner);
        return readStatus(parts);
      });
    }
    app.post(
      "/improve",
      {
        preValidation: emptyBody,
        schema: {
          ...{ ...about, summary: "Ask the model for one change now", body: improveBody },
          response: answers({ 200: improvement }, write),
        },
      },
      async (request) => {
        if (improve === undefined) throw new Problem("unavailable", "This node has no model to improve itself with.");
        // The model may take minutes, in which nothing is sent.
        if (request.socket instanceof Socket) request.socket.setTimeout(0);
        return improve.improveNow(request.body.goal, owner);
      },
    );
  };
}

/** Treats a missing body as `{}`. */
const emptyBody: (request: { body?: unknown }) => Promise<void> = async (request) => {
  request.body ??= {};
};
