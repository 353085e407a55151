import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { namesIn, readJson, writePrivateFile } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { messageOf } from "../../lib/as-error.ts";
import { type Answer, answerPath, type Request, removalTimeoutMs, request, requestPath } from "./requests.ts";

/**
 * The scheduler's side of requests. A request's file is kept until it is answered, so that a request that a crash
 * interrupted is handled again. Its handler must make sure that nothing is done twice.
 */
export class RequestInbox {
  readonly #paths: InstallationPaths;
  readonly #handle: (received: Request, id: string) => Promise<Answer>;
  readonly #taken = new Set<string>();
  /** Answers that could not be written (a full disk). Clients that still wait get them later. */
  readonly #undelivered = new Map<string, Answer>();

  constructor(paths: InstallationPaths, handle: (received: Request, id: string) => Promise<Answer>) {
    this.#paths = paths;
    this.#handle = handle;
  }

  /** Removes answers that no client collected. Call once, first. */
  sweep(): void {
    for (const file of this.#files(/\.answer\.json$/)) rmSync(join(this.#paths.requests, file), { force: true });
  }

  /** Handles new requests. */
  poll(now: number = Date.now()): void {
    for (const [id, given] of this.#undelivered) this.#deliver(id, given);
    for (const file of this.#files(/^[0-9a-f-]{36}\.json$/)) {
      const id = basename(file, ".json");
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      const received = this.#read(id);
      if (received === undefined || now - Date.parse(received.at) > removalTimeoutMs) this.#drop(id);
      else void this.#answer(id, received);
    }
  }

  async #answer(id: string, received: Request): Promise<void> {
    const given = await this.#handle(received, id).catch((error: unknown): Answer => ({ error: messageOf(error) }));
    this.#deliver(id, given);
  }

  #deliver(id: string, given: Answer): void {
    try {
      // The client may have given up and removed the request.
      if (this.#read(id) !== undefined) writePrivateFile(answerPath(this.#paths, id), `${JSON.stringify(given)}\n`);
      this.#drop(id);
    } catch {
      // The work is done, so the request must not be handled again, and the scheduler must not crash.
      this.#undelivered.set(id, given);
    }
  }

  #read(id: string): Request | undefined {
    try {
      return request.safeParse(readJson(requestPath(this.#paths, id))).data;
    } catch {
      return undefined;
    }
  }

  #drop(id: string): void {
    rmSync(requestPath(this.#paths, id), { force: true });
    this.#taken.delete(id);
    this.#undelivered.delete(id);
  }

  #files(pattern: RegExp): string[] {
    return namesIn(this.#paths.requests).filter((file) => pattern.test(file));
  }
}
