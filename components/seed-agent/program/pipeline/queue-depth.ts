import { claimableStates } from "../domain.ts";
import type { Store } from "../store/store.ts";

/** The number of changes that a worker has to check or to roll out. Changes that wait for a person are not counted. */
export async function queueDepth(store: Pick<Store, "countChanges">): Promise<number> {
  return await store.countChanges(claimableStates);
}
