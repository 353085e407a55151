/** Requests of the worker to the runner, over HTTP on loopback. */
import * as z from "zod/mini";
import { failure, sessionId } from "./protocol.ts";

/** The key of a start is `<session>-start`, the key of a message `<session>-<message>-<attempt>`. */
export const runKey = z.string().check(z.regex(/^[0-9a-f]{20}-(start|\d+-\d+)$/));

/**
 * The body of `PUT /runs/<key>`. The runner executes a key only once: it attaches to a run that is in progress, and
 * repeats the outcome of one that has ended. The response is one line of JSON per event (`runLine`).
 */
export const runRequest = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("start"),
    session: sessionId,
    changeling: z.string(),
    branch: z.optional(z.string()),
    /** How many events to skip. */
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
    /** Identifies the runner's records that may contain the key. Other records don't execute an unknown key. */
    epoch: z.optional(z.string()),
  }),
]);
export type RunRequest = z.output<typeof runRequest>;

/** Events of a run: those of its runtime except `state`, which the runner keeps. */
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
  /** The answer of a start is the branch. */
  z.object({ state: z.literal("done"), answer: z.string() }),
  z.object({ state: z.literal("failed"), failure }),
  z.object({ state: z.literal("cancelled") }),
  /** It may have been executed in part: its runner ended meanwhile, or the runner's records are gone. */
  z.object({ state: z.literal("interrupted"), failure }),
]);
export type Outcome = z.output<typeof outcome>;

export const runLine = z.discriminatedUnion("line", [
  /** The first line. */
  z.object({ line: z.literal("epoch"), epoch: z.string() }),
  z.object({ line: z.literal("event"), event: runEvent }),
  /** The last line. */
  z.object({ line: z.literal("outcome"), outcome }),
]);
export type RunLine = z.output<typeof runLine>;
