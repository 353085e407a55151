import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";
import { delay, repeat } from "./repeat.ts";

/** Whether this process is the only one with its node's name. */
export interface NameClaim {
  /** Set while another process has the name. */
  problem(): string | undefined;
  start(): void;
  stop(): Promise<void>;
}

export interface NameClaimOptions {
  readonly node: string;
  readonly store: Pick<Store, "leading">;
  readonly events: Pick<Events, "log">;
  /** How often the claim is tried again, in ms. */
  readonly pollMilliseconds?: number;
}

/**
 * Claims this node's name by a lock of the database, which a dead process loses. Two processes with one name would
 * overwrite each other's record in the store, and a roll-out would mistake the health of one for that of both. A name that
 * is taken is only reported: after a restart, the lock may still belong to this node's own former connection.
 */
export function nameClaim({ node, store, events, pollMilliseconds = 5000 }: NameClaimOptions): NameClaim {
  const stopping = new AbortController();
  let problem: string | undefined;

  const attempts = repeat(
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
    // A store that can't be reached is reported by its own check.
    () => undefined,
  );
  return {
    problem: () => problem,
    start: attempts.start,
    async stop() {
      stopping.abort();
      await attempts.stop();
    },
  };
}
