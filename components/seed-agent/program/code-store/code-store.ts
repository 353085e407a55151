import type { Version } from "../domain.ts";

/**
 * This node's versions on disk (`SEED_CODE_DIR`), each in a folder of its own, and which of them is active. A node starts
 * from it without a database. Every file is written aside, synced and renamed; what a killed process left is cleared
 * away at the next start.
 */
export interface CodeStore {
  /**
   * Reads and verifies everything. What is corrupt, or half written, is moved to `set-aside/` and reported, never loaded.
   * If the active version is, the last good one becomes active.
   *
   * @throws Error if another process uses the folder, also after some seconds
   */
  open(): Promise<Opened>;
  /** Idempotent. @throws DiskFull, and nothing is lost */
  write(version: Version): Promise<void>;
  /** @returns undefined if it is not here, or if it is corrupt: then it was set aside now */
  read(id: string): Promise<Version | undefined>;
  /** Atomically. Appends to the history, which has at most `history` entries. @throws DiskFull */
  activate(id: string): Promise<void>;
  /** `v0` before the first activation. */
  active(): string;
  /** The latest that passed probation before the active one, for a crash loop; `v0` if there is none. */
  lastGood(): string;
  /** This version passed its probation. */
  markGood(id: string): Promise<void>;
  /** Whether the active version passed its probation; `v0` always has. If not, a node that starts begins it again. */
  isGood(): boolean;
  /**
   * Counts a start that has not yet proved itself. Three without `markStarted` in between are a crash loop: the caller
   * then boots `lastGood()`.
   */
  beginStart(): Promise<{ readonly isCrashLoop: boolean; readonly starts: number }>;
  /** The process has served for a while. */
  markStarted(): Promise<void>;
  /** Deletes all versions but these. */
  prune(keep: ReadonlySet<string>): Promise<void>;
  /** Writes, reads and deletes a file, and verifies the active version. For `/health/deep`. @throws with the reason */
  check(): Promise<void>;
  /** Lets another process use the folder, which `open` reserves for this one. */
  close(): Promise<void>;
}

export interface Opened {
  readonly versions: readonly string[];
  readonly setAside: readonly { readonly name: string; readonly reason: string }[];
}

/** No space, or no inodes, are left. Nothing was changed. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
}
