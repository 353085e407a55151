import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SetupError } from "./progress.mjs";
import { interrupted } from "./run.mjs";

const ANSWER_SECONDS = 8;
const SILENCE_SECONDS = 30;

/** The server can't be reached, or does not have the file. Another source may. */
export class Unreachable extends Error {}

/**
 * @param file where to write it
 * @returns the SHA-256 of the download, in hex
 * @throws Unreachable
 */
export async function download(url: string, file: string): Promise<string> {
  const hash = createHash("sha256");
  await withResponse(url, "GET", async (body, alive) => {
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        alive();
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(body, count, createWriteStream(file));
  });
  return hash.digest("hex");
}

/** @throws Unreachable */
export async function downloadText(url: string): Promise<string> {
  return withResponse(url, "GET", async (body) => Buffer.concat(await body.toArray()).toString("utf8"));
}

/** Whether a server answers at all, with any status. */
export async function answers(url: string): Promise<boolean> {
  try {
    await withResponse(
      url,
      "HEAD",
      async () => undefined,
      () => true,
    );
    return true;
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
}

async function withResponse<T>(
  url: string,
  method: "GET" | "HEAD",
  use: (body: Readable, alive: () => void) => Promise<T>,
  accept: (response: Response) => boolean = (response) => response.ok,
): Promise<T> {
  const timeouts = new AbortController();
  let timer = setTimeout(() => timeouts.abort(new Error(`no answer in ${ANSWER_SECONDS} s`)), ANSWER_SECONDS * 1000);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => timeouts.abort(new Error(`silent for ${SILENCE_SECONDS} s`)), SILENCE_SECONDS * 1000);
  };
  try {
    const response = await fetch(url, { method, signal: AbortSignal.any([interrupted, timeouts.signal]) });
    if (!accept(response)) throw new Error(`the server says ${response.status} ${response.statusText}`);
    alive();
    return await use(response.body === null ? Readable.from([]) : Readable.fromWeb(response.body), alive);
  } catch (error) {
    interrupted.throwIfAborted();
    throw new Unreachable(`${url}: ${reason(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * Looks up a file's checksum in a list in the format of sha256sum.
 *
 * @throws SetupError if the file is not listed
 */
export function checksumIn(list: string, file: string): string {
  for (const line of list.split("\n")) {
    const [, sum, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line.trim()) ?? [];
    if (sum !== undefined && name === file) return sum;
  }
  throw new SetupError(`${file} is not in its publisher's list of checksums`);
}
