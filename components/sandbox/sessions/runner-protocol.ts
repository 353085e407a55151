/** What the worker and the runner say to each other, over HTTP on loopback. */
import * as z from "zod/mini";
import { failure, sessionId } from "./protocol.ts";

/** Letters, digits, `-`: of a start `<session>-start`, of a message `<session>-<message>-<attempt>`. */
export const runKey = z.string().check(z.regex(/^[0-9a-f]{20}-(start|\d+-\d+)$/));

/**
 * The body of `PUT /runs/<key>`: executes this once, whatever happens, or attaches to the execution under way, or repeats
 * the outcome of the one that ended. The response is a line of JSON per event (`runLine`).
 */
export const runRequest = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("start"),
    session: sessionId,
    changeling: z.string(),
    branch: z.optional(z.string()),
    /** Skips that many events. */
    from: z._default(z.number(), 0),
    epoch: z.optional(z.string()),
  }),
  z.object({
    kind: z.literal("prompt"),
    session: sessionId,
    text: z.string(),
    timeoutSeconds: z.optional(z.number()),
    budgetUsd: z.optional(z.number()),
    from: z._default(z.number(), 0),
    /** The runner's records that the key may be in. With others, a key that is unknown is not executed. */
    epoch: z.optional(z.string()),
  }),
]);
export type RunRequest = z.output<typeof runRequest>;

/** What a run reports; those of a runtime except its `state`, which the runner keeps. */
export const runEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("progress"), text: z.string() }),
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("tool_call"), id: z.string(), name: z.string(), input: z.unknown() }),
  z.object({ type: z.literal("tool_result"), id: z.string(), output: z.string(), isError: z.boolean() }),
  z.object({ type: z.literal("usage"), inputTokens: z.number(), outputTokens: z.number() }),
  z.object({ type: z.literal("cost"), usd: z.number() }),
  z.object({ type: z.literal("notice"), text: z.string() }),
]);
export type RunEvent = z.output<typeof runEvent>;

export const outcome = z.discriminatedUnion("state", [
  /** Of a start, the answer is the branch. */
  z.object({ state: z.literal("done"), answer: z.string() }),
  z.object({ state: z.literal("failed"), failure }),
  z.object({ state: z.literal("cancelled") }),
  /** It may have been executed in part: its runner ended meanwhile, or its records are gone. */
  z.object({ state: z.literal("interrupted"), failure }),
]);
export type Outcome = z.output<typeof outcome>;

export const runLine = z.discriminatedUnion("line", [
  /** The first. */
  z.object({ line: z.literal("epoch"), epoch: z.string() }),
  z.object({ line: z.literal("event"), event: runEvent }),
  /** The last. */
  z.object({ line: z.literal("outcome"), outcome }),
]);
export type RunLine = z.output<typeof runLine>;
