import * as z from "zod/mini";
import { agentResponse } from "../domain.ts";

/** The messages that the program behind the fence may send. They are as hostile as the code that runs in it. */
const id = z.int().check(z.gte(0));
const text = (max: number) => z.string().check(z.maxLength(max));
const words = text(10_000);
/** RFC 9110: a token, and visible characters. Node throws when others are sent. */
const headerName = text(200).check(z.regex(/^[\w!#$%&'*+.^`|~-]+$/));
const headerValue = text(8192).check(z.regex(/^[\t\x20-\x7e\x80-\xff]*$/));

export const maxKeyLength = 200;
export const maxValueLength = 64 * 1024;

export const fromAgent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("loaded"), tests: id }),
  z.object({ type: z.literal("failed"), message: words }),
  z.object({ type: z.literal("read"), id, read: id, key: text(maxKeyLength) }),
  z.object({ type: z.literal("log"), id, message: words }),
  z.object({
    type: z.literal("answer"),
    id,
    value: z.unknown(),
    writes: z.array(z.tuple([z.string(), z.nullable(z.string())])).check(z.maxLength(1000)),
  }),
  z.object({ type: z.literal("threw"), id, message: words, invalid: z.optional(z.boolean()) }),
]);
export type FromAgent = z.output<typeof fromAgent>;

const given = z.object({
  now: z.optional(z.number()),
  seed: z.optional(z.number()),
  state: z.optional(z.record(text(maxKeyLength), text(maxValueLength))),
});
const subjectRequest = z.object({
  method: z.optional(z.string()),
  path: z.optional(z.string()),
  query: z.optional(z.record(z.string(), z.string())),
  headers: z.optional(z.record(z.string(), z.string())),
  body: z.optional(z.string()),
});

/** A call of the code under test. */
const fromSubject = z.discriminatedUnion("what", [
  z.object({ type: z.literal("subject"), id, what: z.literal("handle"), input: subjectRequest, given }),
  z.object({ type: z.literal("subject"), id, what: z.literal("checks") }),
  z.object({ type: z.literal("subject"), id, what: z.literal("plan"), input: z.unknown() }),
]);

export const fromTests = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("loaded"), tests: id }),
  z.object({ type: z.literal("failed"), message: words }),
  fromSubject,
  z.object({ type: z.literal("testing"), name: text(500) }),
  z.object({
    type: z.literal("tested"),
    name: text(500),
    milliseconds: z.number(),
    message: z.optional(words),
    defined: z.optional(words),
  }),
  z.object({ type: z.literal("done") }),
]);
export type FromTests = z.output<typeof fromTests>;

export const handleAnswer = z.object({
  status: agentResponse.shape.status.check(z.int()),
  headers: z.array(z.tuple([headerName, headerValue])).check(z.maxLength(100)),
  body: z.string(),
});
export const checksAnswer = z
  .array(z.object({ name: text(200), ok: z.boolean(), detail: z.optional(text(2000)) }))
  .check(z.maxLength(100));
export const planAnswer = z.nullable(text(100_000));

/** Headers of the connection, which the service sets. */
const connectionHeaders = new Set([
  ...[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
  ],
]);

/** @returns the headers in lower case, with the last value of each name; or why they are not allowed */
export function cleanHeaders(
  headers: readonly (readonly [string, string])[],
): { readonly headers: Record<string, string> } | { readonly problem: string } {
  const clean = new Map<string, string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (connectionHeaders.has(lower))
      return { problem: `the answer has the header "${lower}", which the service sets` };
    clean.set(lower, value);
  }
  return { headers: Object.fromEntries(clean) };
}

/** @returns the message, or undefined if the line violates the protocol */
export function readMessage<Message>(schema: z.ZodMiniType<Message>, line: string): Message | undefined {
  const parsed = schema.safeParse(parseJson(line));
  return parsed.success ? parsed.data : undefined;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
