import type { CodeStore } from "../code-store/code-store.ts";
import type { Version } from "../domain.ts";
import { sourcesHash } from "../sources-hash.ts";

export interface VersionSources {
  readonly codeStore: Pick<CodeStore, "read" | "write">;
  /** Reads a version from the store that all nodes share. */
  readonly stored: (id: string) => Promise<Version | undefined>;
  readonly firstVersion: () => Promise<Version>;
}

/**
 * Reads a version from this node's disk, or else copies it from the store. If both have the id with different hashes, the
 * database was replaced, and its version counts.
 *
 * @throws if neither has it, or if the store's copy is corrupt
 */
export async function fetchVersion(id: string, { codeStore, stored, firstVersion }: VersionSources): Promise<Version> {
  if (id === "v0") return await firstVersion();
  const [onDisk, inStore] = [await codeStore.read(id), await stored(id)];
  if (onDisk !== undefined && (inStore === undefined || inStore.hash === onDisk.hash)) return onDisk;
  if (inStore === undefined) throw new Error(`${id} is neither on this node's disk nor in the store`);
  if (inStore.id !== id || sourcesHash(inStore.sources) !== inStore.hash) {
    throw new Error(`${id} in the store does not have its hash`);
  }
  await codeStore.write(inStore);
  return inStore;
}
