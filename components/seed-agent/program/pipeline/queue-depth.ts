import { claimableStates } from "../domain.ts";
import type { Store } from "../store/store.ts";

/** The most that is counted. */
const most = 1000;

/** Changes that a worker has to do something with; not those that wait for a person. */
export async function queueDepth(store: Pick<Store, "changes">): Promise<number> {
  return (await store.changes({ states: claimableStates, limit: most })).length;
}
