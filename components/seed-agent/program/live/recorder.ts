import { randomUUID } from "node:crypto";
import type { AgentRequest, AgentResponse, Recording } from "../domain.ts";
import type { Handled } from "../hot-reload/version-host.ts";
import type { Store } from "../store/store.ts";

/** Requests with larger bodies or answers are not recorded, in characters. */
const largest = 16 * 1024;
/** A way of calling the agent that was not recorded for this long is recorded at once, in ms; others are sampled. */
const perKind = 10_000;
const perSecond = 2;
/** Recordings that wait for the store; more are dropped. */
const mostWaiting = 20;

export interface Answered {
  readonly version: string;
  readonly request: AgentRequest;
  readonly now: number;
  readonly seed: number;
  readonly handled: Handled;
}

/**
 * Samples answers for replay, in the background: no request waits for it, and a store that is away only costs
 * recordings.
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
    if (this.#keep === 0 || request.body.length > largest || response.body.length > largest) return;
    if (this.#waiting >= mostWaiting || !this.#isWanted(request, response)) return;
    this.#waiting += 1;
    const recording: Recording = {
      ...{
        id: randomUUID(),
        at: new Date(now).toISOString(),
        version,
        request,
        now,
        seed,
        state,
        response,
        milliseconds,
      },
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
    if (last === undefined || time - last > perKind) {
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
    return this.#inSecond <= perSecond;
  }
}
