import type { CodeStore } from "../code-store/code-store.ts";
import type { Store } from "../store/store.ts";

export interface Pruned {
  readonly store: Pick<Store, "pruneVersions" | "versions">;
  readonly codeStore: Pick<CodeStore, "active" | "lastGood" | "prune">;
  readonly keepVersions: number;
}

/** Deletes old versions from the store, and from this node's disk what the store has no more. */
export async function pruneVersions({ store, codeStore, keepVersions }: Pruned): Promise<void> {
  await store.pruneVersions(keepVersions);
  // What is kept besides the newest: the active version's ancestors, and what a node runs.
  const kept = (await store.versions(10 * keepVersions)).map(({ id }) => id);
  await codeStore.prune(new Set([...kept, codeStore.active(), codeStore.lastGood()]));
}
