/**
 * How a worker on Cloudflare reaches the runner, which has no address there: the runner dials out to `/runner`, and the
 * worker sends its requests over that WebSocket. A text message is a frame in JSON; a binary message is a part of a body:
 * the request's id as 4 bytes, big endian, and then at most `maxPart` bytes. The worker bundles this file too.
 */
import * as z from "zod/mini";

/** The most bytes of a part of a body. Cloudflare's limit of one message is 1 MiB. */
export const maxPart = 64 * 1024;
/** The most characters of a frame. */
export const maxFrame = 4_096;
/** The most bytes of a request's body: a message of the greatest length, each of whose characters is escaped. */
export const maxRequestBody = 1_500_000;
/** The runner sends at most so many bytes of a response that the worker has not asked for by `credit`. */
export const creditWindow = 256 * 1024;
/** The most requests under way. */
export const maxRequests = 256;

/** The runner sends `ping` so often; the worker answers `pong`, also while its object is not in memory. Milliseconds. */
export const pingEveryMs = 10_000;
/** A link that was silent for so long is dead; milliseconds. */
export const deadAfterMs = 35_000;

/** Another runner has dialled in: the older one must not come back, or each would end the other's link for ever. */
export const replacedCode = 4_001;
/** What was received is not of this protocol. */
export const violationCode = 4_002;
/** The other side was silent. */
export const deadCode = 4_003;

const id = z.number().check(z.int(), z.gte(0), z.lte(0xff_ff_ff_ff));

/** What the worker sends. The parts of a request's body are between `request` and `sent`. */
export const workerFrame = z.discriminatedUnion("frame", [
  z.object({
    frame: z.literal("request"),
    id,
    method: z.enum(["GET", "POST", "PUT", "DELETE"]),
    path: z.string().check(z.regex(/^\/(runs|sessions)(\/[\w-]{1,80}){1,2}$/)),
  }),
  z.object({ frame: z.literal("sent"), id }),
  /** The runner may send so many bytes more of the response. */
  z.object({ frame: z.literal("credit"), id, bytes: z.number().check(z.int(), z.positive(), z.lte(creditWindow)) }),
  /** Nobody is interested in the response any more. */
  z.object({ frame: z.literal("cancel"), id }),
]);
export type WorkerFrame = z.output<typeof workerFrame>;

/** What the runner sends. The parts of a response's body are between `response` and `end`. */
export const runnerFrame = z.discriminatedUnion("frame", [
  z.object({
    frame: z.literal("response"),
    id,
    status: z.number().check(z.int(), z.gte(200), z.lte(599)),
    type: z.string().check(z.regex(/^[\w.+/-]{1,80}(; charset=utf-8)?$/)),
  }),
  z.object({ frame: z.literal("end"), id }),
  /** The response broke off, or there is none. */
  z.object({ frame: z.literal("broken"), id }),
]);
export type RunnerFrame = z.output<typeof runnerFrame>;

/** @throws if the text is no such frame */
export function frameOf<Frame>(form: z.ZodMiniType<Frame>, text: string): Frame {
  if (text.length > maxFrame) throw new Error(`a frame has ${text.length} characters`);
  return form.parse(JSON.parse(text));
}

/** A body as binary messages. */
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
