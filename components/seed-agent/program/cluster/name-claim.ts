import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";
import { delay, inTurns } from "./turns.ts";

/** Whether this process is the only one with its node's name. */
export interface NameClaim {
  /** In words, while another process has the name. */
  problem(): string | undefined;
  start(): void;
  stop(): Promise<void>;
}

export interface NameClaimOptions {
  readonly node: string;
  readonly store: Pick<Store, "leading">;
  readonly events: Pick<Events, "log">;
  /** How often it tries again, in ms. */
  readonly pollMilliseconds?: number;
}

/**
 * Two processes with one name would overwrite each other's record in the store, and a roll-out would take the health of
 * one for that of both. It is a lock of the database, which a dead process loses. A name that is taken is only reported:
 * after a restart it may be this node's own former connection that the database still believes in.
 */
export function nameClaim({ node, store, events, pollMilliseconds = 5000 }: NameClaimOptions): NameClaim {
  const stopping = new AbortController();
  let problem: string | undefined;

  const turns = inTurns(
    async () => {
      const held = await store.leading(`node ${node}`, async (lost) => {
        problem = undefined;
        await delay(2 ** 31 - 1, AbortSignal.any([lost, stopping.signal]));
        return true;
      });
      if (held === true || problem !== undefined) return;
      problem = `another process has the name of the node ${node}: give each its own SEED_NODE`;
      events.log("error", problem);
    },
    () => pollMilliseconds,
    // A store that is away is reported by its own check.
    () => undefined,
  );
  return {
    problem: () => problem,
    start: turns.start,
    async stop() {
      stopping.abort();
      await turns.stop();
    },
  };
}
