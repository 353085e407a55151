/**
 * How a worker on Cloudflare reaches the runner, which has no public address. The runner dials out to `/runner`, and the
 * worker sends its requests over that WebSocket. A text message is a frame in JSON. A binary message is a part of a body:
 * the request's id as 4 bytes (big endian), then at most `maxPart` bytes. The worker bundles this file too.
 */
import * as z from "zod/mini";

/** The most bytes of a part of a body. Cloudflare limits a message to 1 MiB. */
export const maxPart = 64 * 1024;
/** The most characters of a frame. */
const maxFrame = 4_096;
/** The most bytes of a request's body: the longest message, with every character escaped. */
export const maxRequestBody = 1_500_000;
/** How many bytes of a response the runner may send before the worker grants more with `credit`. */
export const creditWindow = 256 * 1024;
/** The most pending requests. */
export const maxRequests = 256;

/** How often the runner sends `ping`, in milliseconds. The worker answers `pong`, even while its object is not in memory. */
export const pingEveryMs = 10_000;
/** A link that was silent for this long is dead; milliseconds. */
export const deadAfterMs = 35_000;

/** Another runner has dialled in. The older one must not reconnect, or they would end each other's link forever. */
export const replacedCode = 4_001;
/** A message violated this protocol. */
export const violationCode = 4_002;
/** The other side was silent. */
export const deadCode = 4_003;

const id = z.number().check(z.int(), z.gte(0), z.lte(0xff_ff_ff_ff));

/** Sent by the worker. The parts of a request's body come between `request` and `sent`. */
export const workerFrame = z.discriminatedUnion("frame", [
  z.object({
    frame: z.literal("request"),
    id,
    method: z.enum(["GET", "POST", "PUT", "DELETE"]),
    path: z.string().check(z.regex(/^\/(runs|sessions)(\/[\w-]{1,80}){1,2}$/)),
  }),
  z.object({ frame: z.literal("sent"), id }),
  /** Allows the runner to send this many more bytes of the response. */
  z.object({ frame: z.literal("credit"), id, bytes: z.number().check(z.int(), z.positive(), z.lte(creditWindow)) }),
  /** The response is no longer needed. */
  z.object({ frame: z.literal("cancel"), id }),
]);
export type WorkerFrame = z.output<typeof workerFrame>;

/** Sent by the runner. The parts of a response's body come between `response` and `end`. */
export const runnerFrame = z.discriminatedUnion("frame", [
  z.object({
    frame: z.literal("response"),
    id,
    status: z.number().check(z.int(), z.gte(200), z.lte(599)),
    type: z.string().check(z.regex(/^[\w.+/-]{1,80}(; charset=utf-8)?$/)),
  }),
  z.object({ frame: z.literal("end"), id }),
  /** The response failed before its end. */
  z.object({ frame: z.literal("broken"), id }),
]);
export type RunnerFrame = z.output<typeof runnerFrame>;

/** @throws if the text is not such a frame */
export function frameOf<Frame>(schema: z.ZodMiniType<Frame>, text: string): Frame {
  if (text.length > maxFrame) throw new Error(`a frame has ${text.length} characters`);
  return schema.parse(JSON.parse(text));
}

/** Splits a body into binary messages. */
export function* partsOf(id: number, body: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < body.length; at += maxPart) {
    const bytes = body.subarray(at, at + maxPart);
    const part = new Uint8Array(4 + bytes.length);
    new DataView(part.buffer).setUint32(0, id);
    part.set(bytes, 4);
    yield part;
  }
}

/** @throws if it is too short or too long */
export function partIn(message: Uint8Array): { readonly id: number; readonly bytes: Uint8Array } {
  if (message.length < 5 || message.length > 4 + maxPart) throw new Error(`a part has ${message.length - 4} bytes`);
  const id = new DataView(message.buffer, message.byteOffset, 4).getUint32(0);
  return { id, bytes: message.subarray(4) };
}
