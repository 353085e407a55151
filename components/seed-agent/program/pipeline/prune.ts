import type { CodeStore } from "../code-store/code-store.ts";
import type { Store } from "../store/store.ts";

export interface Pruned {
  readonly store: Pick<Store, "pruneVersions" | "versions">;
  readonly codeStore: Pick<CodeStore, "active" | "lastGood" | "prune">;
  readonly keepVersions: number;
}

/** Deletes old versions from the store, and from this node's disk those that the store no longer has. */
export async function pruneVersions({ store, codeStore, keepVersions }: Pruned): Promise<void> {
  await store.pruneVersions(keepVersions);
  // The store also keeps older versions: ancestors of the active one, and those that a node runs.
  const kept = (await store.versions(10 * keepVersions)).map(({ id }) => id);
  await codeStore.prune(new Set([...kept, codeStore.active(), codeStore.lastGood()]));
}
