import type { Store } from "../store/store.ts";
import type { RolloutOptions, RolloutResult } from "./cluster.ts";

/**
 * Rolls a version out, node by node, and back if one is not healthy. The leader's node is the first, in its full
 * probation. Re-entrant: what was ordered is in the store, so after a crash the next leader calls it again with the same
 * arguments, and it goes on, or goes on rolling back.
 *
 * The orders (`desired`) stay until the caller ends the change by `store.updateChange`, which clears them.
 */
export async function rollOut(
  _version: string,
  _former: string,
  _options: RolloutOptions & {
    readonly store: Pick<Store, "nodes" | "setDesired" | "subscribe">;
    readonly node: string;
  },
): Promise<RolloutResult> {
  throw new Error("not written yet");
}
