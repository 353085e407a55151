import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { isMissing, readJson, writePrivateFile } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { type Answer, answerPath, type Request, removalPatienceMs, request, requestPath } from "./requests.ts";

/**
 * The scheduler's side of requests. A request's file stays until it is answered, so that one that a crash interrupted
 * is taken up again; the one who handles it makes sure that nothing is done twice.
 */
export class RequestInbox {
  readonly #paths: InstallationPaths;
  readonly #handle: (asked: Request, id: string) => Promise<Answer>;
  readonly #taken = new Set<string>();
  /** Those that could not be written (a full disk): whoever waits for them still gets them. */
  readonly #undelivered = new Map<string, Answer>();

  constructor(paths: InstallationPaths, handle: (asked: Request, id: string) => Promise<Answer>) {
    this.#paths = paths;
    this.#handle = handle;
  }

  /** Drops answers that nobody came for. Call once, first. */
  sweep(): void {
    for (const file of this.#files(/\.answer\.json$/)) rmSync(join(this.#paths.requests, file), { force: true });
  }

  /** Takes up what is new. */
  look(now: number = Date.now()): void {
    for (const [id, given] of this.#undelivered) this.#deliver(id, given);
    for (const file of this.#files(/^[0-9a-f-]{36}\.json$/)) {
      const id = basename(file, ".json");
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      const asked = this.#read(id);
      if (asked === undefined || now - Date.parse(asked.at) > removalPatienceMs) this.#drop(id);
      else void this.#answer(id, asked);
    }
  }

  async #answer(id: string, asked: Request): Promise<void> {
    const given = await this.#handle(asked, id).catch((error: unknown): Answer => ({ error: messageOf(error) }));
    this.#deliver(id, given);
  }

  #deliver(id: string, given: Answer): void {
    try {
      // Who asked may have gone away meanwhile, and taken the request with them.
      if (this.#read(id) !== undefined) writePrivateFile(answerPath(this.#paths, id), `${JSON.stringify(given)}\n`);
      this.#drop(id);
    } catch {
      // It has been done: the request must not be taken up again, nor the scheduler end for it.
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
    try {
      return readdirSync(this.#paths.requests).filter((file) => pattern.test(file));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
