import { existsSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isMissing } from "../../host/files.ts";
import type { SandboxFiles } from "./files.ts";
import { createWhole, type LocalPaths, namesIn, temporaryName } from "./paths.ts";

/**
 * Copies of snapshots from which many sandboxes start, one of each, made before it is needed: where the file system can't
 * share files, a copy takes as long as a clone, and a start that has one only renames it. Nothing can write to a copy that
 * no sandbox has yet.
 */
export interface Spares {
  /** Moves the spare `files` of a snapshot to a folder. @returns false if there are none */
  take(snapshot: string, folder: string): boolean;
  /** Makes a copy in the background. If that fails, the next start makes its own. */
  refill(snapshot: string, files: SandboxFiles): void;
  /** For a snapshot that is removed. */
  remove(snapshot: string, files: SandboxFiles): Promise<void>;
  /** Removes what dead processes left half-made, and copies of snapshots that are gone. */
  sweep(files: SandboxFiles): Promise<void>;
}

/** A copy is made after the start that took the last one: the two would slow each other down. In milliseconds. */
const afterStartMs = 2000;

export function localSpares({ spares, snapshots }: LocalPaths, delayMs = afterStartMs): Spares {
  const making = new Map<string, { readonly made: Promise<void>; readonly cancel: AbortController }>();

  async function make(snapshot: string, files: SandboxFiles, signal: AbortSignal): Promise<void> {
    const source = join(snapshots, snapshot);
    // It does not keep this process from ending.
    await sleep(delayMs, undefined, { signal, ref: false });
    try {
      await createWhole(spares, snapshot, (folder) => files.copy(source, folder), files.remove);
    } finally {
      // What was copied while the snapshot was removed is not whole.
      if (!existsSync(source)) await files.discard(join(spares, snapshot));
    }
  }

  return {
    take(snapshot, folder) {
      const taken = join(spares, temporaryName());
      try {
        // Of several starts, one gets it.
        renameSync(join(spares, snapshot), taken);
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
      renameSync(join(taken, "files"), join(folder, "files"));
      rmdirSync(taken);
      return true;
    },
    refill(snapshot, files) {
      if (making.has(snapshot) || existsSync(join(spares, snapshot))) return;
      const cancel = new AbortController();
      const made = make(snapshot, files, cancel.signal)
        .catch(() => {})
        .finally(() => making.delete(snapshot));
      making.set(snapshot, { made, cancel });
    },
    async remove(snapshot, files) {
      const { made, cancel } = making.get(snapshot) ?? {};
      cancel?.abort();
      await made;
      await files.discard(join(spares, snapshot));
    },
    async sweep(files) {
      await files.sweep(spares);
      const isGone = (name: string) => !existsSync(join(snapshots, name));
      for (const name of namesIn(spares).filter(isGone)) await files.discard(join(spares, name));
    },
  };
}
