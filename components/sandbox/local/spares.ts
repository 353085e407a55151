import { existsSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isMissing, namesIn } from "../../host/files.ts";
import type { SandboxFiles } from "./files.ts";
import { createWhole, isName, type LocalPaths, temporaryName } from "./paths.ts";

/**
 * One copy of each shared snapshot, made in advance. Where the file system can't share blocks (reflink), a copy takes as long
 * as a clone; a start that finds a copy only renames it. Nothing can write to a copy before a sandbox has it.
 */
export interface Spares {
  /** Moves the spare `files` of a snapshot to a folder. @returns false if there are none */
  take(snapshot: string, folder: string): boolean;
  /** Makes a copy in the background. If that fails, the next start copies the snapshot itself. */
  refill(snapshot: string, files: SandboxFiles): void;
  /** Call it when the snapshot is removed. */
  remove(snapshot: string, files: SandboxFiles): Promise<void>;
  /** Removes incomplete copies of killed processes, and copies of snapshots that are gone. */
  sweep(files: SandboxFiles): Promise<void>;
}

/** How long to wait after the start that took a copy, so that the two don't slow each other down. In milliseconds. */
const afterStartMs = 2000;

export function localSpares({ spares, snapshots }: LocalPaths, delayMs = afterStartMs): Spares {
  const making = new Map<string, { readonly made: Promise<void>; readonly cancel: AbortController }>();

  async function make(snapshot: string, files: SandboxFiles, signal: AbortSignal): Promise<void> {
    const source = join(snapshots, snapshot);
    // Doesn't keep this process running.
    await sleep(delayMs, undefined, { signal, ref: false });
    try {
      await createWhole(spares, snapshot, (folder) => files.copy(source, folder), files.remove);
    } finally {
      // The snapshot was removed during the copy, which may be incomplete.
      if (!existsSync(source)) await files.discard(join(spares, snapshot));
    }
  }

  return {
    take(snapshot, folder) {
      const taken = join(spares, temporaryName());
      try {
        // Only one of several concurrent starts gets it.
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
      const isGone = (name: string) => isName(name) && !existsSync(join(snapshots, name));
      for (const name of namesIn(spares).filter(isGone)) await files.discard(join(spares, name));
    },
  };
}
