import type { Version } from "../domain.ts";

/**
 * This node's versions on disk (`SEED_CODE_DIR`), and which of them is active. A node can start from them without a
 * database. Every file is written under another name, synced and renamed, and the next start deletes the unfinished files
 * of a killed process.
 */
export interface CodeStore {
  /**
   * Reads and verifies everything. Corrupt and unfinished versions are moved to `set-aside/` and reported, and never loaded.
   * If the active version is corrupt, the last good one becomes active.
   *
   * @throws Error if another process still uses the folder after some seconds
   */
  open(): Promise<Opened>;
  /** Idempotent. @throws DiskFull; then nothing has changed */
  write(version: Version): Promise<void>;
  /** @returns undefined if there is no such version, or if it is corrupt, in which case it is moved to `set-aside/` */
  read(id: string): Promise<Version | undefined>;
  /** Makes a version the active one, atomically, and appends it to the history. @throws DiskFull */
  activate(id: string): Promise<void>;
  /** `v0` before the first activation. */
  active(): string;
  /** The latest version before the active one that passed its probation, to fall back to; `v0` if there is none. */
  lastGood(): string;
  /** Records that a version passed its probation. */
  markGood(id: string): Promise<void>;
  /** Whether the active version passed its probation; `v0` always has. If not, a starting node repeats the probation. */
  isGood(): boolean;
  /**
   * Counts a start. Three starts without `markStarted` in between are a crash loop, in which the caller boots `lastGood()`
   * instead.
   */
  beginStart(): Promise<{ readonly isCrashLoop: boolean; readonly starts: number }>;
  /** Records that the process has served for a while, which ends a crash loop. */
  markStarted(): Promise<void>;
  /** Deletes all versions except these. */
  prune(keep: ReadonlySet<string>): Promise<void>;
  /** Writes, reads and deletes a file, and verifies the active version, for `/health/deep`. @throws with the reason */
  check(): Promise<void>;
  /** Releases the folder, which `open` reserved for this process. */
  close(): Promise<void>;
}

export interface Opened {
  readonly versions: readonly string[];
  readonly setAside: readonly { readonly name: string; readonly reason: string }[];
}

/** The disk has no space or no inodes left. Nothing has changed. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
}
