import { randomUUID } from "node:crypto";
import type { AgentRequest, AgentResponse, Recording } from "../domain.ts";
import type { Handled } from "../hot-reload/version-host.ts";
import type { Store } from "../store/store.ts";

/** Requests with a longer body or answer are not recorded. */
const maxCharacters = 16 * 1024;
/** A kind of request that was not recorded for this long is recorded at once. Others are sampled. */
const kindMilliseconds = 10_000;
const samplesPerSecond = 2;
/** How many recordings may wait for the store. More are dropped. */
const maxWaiting = 20;

export interface Answered {
  readonly version: string;
  readonly request: AgentRequest;
  readonly now: number;
  readonly seed: number;
  readonly handled: Handled;
}

/**
 * Samples answers for replay, in the background. No request waits for that, and if the store can't be reached, only
 * recordings are lost.
 */
export class Recorder {
  readonly #store: Pick<Store, "record">;
  readonly #keep: number;
  readonly #kinds = new Map<string, number>();
  #second = 0;
  #inSecond = 0;
  #waiting = 0;

  constructor(store: Pick<Store, "record">, keep: number) {
    this.#store = store;
    this.#keep = keep;
  }

  add({ version, request, now, seed, handled }: Answered): void {
    const { response, reads: state, milliseconds } = handled;
    if (this.#keep === 0 || request.body.length > maxCharacters || response.body.length > maxCharacters) return;
    if (this.#waiting >= maxWaiting || !this.#isWanted(request, response)) return;
    this.#waiting += 1;
    const at = new Date(now).toISOString();
    const recording: Recording = {
      ...{ id: randomUUID(), at, version, request, now, seed, state, response, milliseconds },
    };
    this.#store
      .record(recording, this.#keep)
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  #isWanted({ method, path }: AgentRequest, { status }: AgentResponse): boolean {
    const time = performance.now();
    const kind = `${method} ${path.split("/").slice(0, 3).join("/")} ${status}`;
    const last = this.#kinds.get(kind);
    if (last === undefined || time - last > kindMilliseconds) {
      if (this.#kinds.size > 1000) this.#kinds.clear();
      this.#kinds.set(kind, time);
      return true;
    }
    const second = Math.floor(time / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    this.#inSecond += 1;
    return this.#inSecond <= samplesPerSecond;
  }
}
