export { StoreUnavailable } from "../database/database.ts";

import type { AuditEntry, Change, ChangeState, NodeRecord, Recording, Version } from "../domain.ts";

/**
 * The data that all nodes of a seed agent share: versions, the queue of changes, the audit log, and which node runs which
 * version. In SQLite for one node, and in PostgreSQL for several, with the same SQL (`database/`).
 *
 * @throws StoreUnavailable if the database can't be reached
 */
export interface Store {
  readonly kind: "sqlite" | "postgres";

  /** Assigns the next id. Idempotent: a second call for the same change returns the version that the first one added. */
  addVersion(version: Omit<Version, "id" | "createdAt">, change: string): Promise<Version>;
  version(id: string): Promise<Version | undefined>;
  /** Newest first, without their sources and bundles. */
  versions(limit: number): Promise<readonly VersionSummary[]>;
  /**
   * Deletes old versions. Keeps the newest `keep`, the active one with up to `keep` ancestors, those that a node runs or
   * should run, and those that an unfinished change needs.
   *
   * @returns the deleted ids
   */
  pruneVersions(keep: number): Promise<readonly string[]>;
  /** The version that the fleet runs; undefined before the first activation: `v0`. */
  activeVersion(): Promise<string | undefined>;

  submit(submission: NewChange): Promise<Change>;
  change(id: string): Promise<Change | undefined>;
  /** Newest first. */
  changes(filter: { readonly states?: readonly ChangeState[]; readonly limit: number }): Promise<readonly Change[]>;
  countChanges(states: readonly ChangeState[]): Promise<number>;
  /**
   * Claims a change in one of `claimableStates` for `leaseSeconds`: one that is rolled out or approved before one that is to
   * be checked, then the oldest. At most one change is claimed in the whole fleet, because versions are activated one after
   * another. A `queued` change becomes `checking`, an `approved` one `rolling-out`, and `attempts` is incremented.
   *
   * @returns undefined if there is no such change, or if another node has claimed one
   */
  claim(node: string, leaseSeconds: number): Promise<Change | undefined>;
  /** @returns false if the claim is lost: stop working on it, and write nothing */
  renewClaim(change: string, node: string, leaseSeconds: number): Promise<boolean>;
  /**
   * Writes only if the change is in one of `from`, and, with `claimedBy`, only if that node still has the claim. The claim
   * ends in an end state, in `waiting` and in `approved`. The state `active`, and `rolled-back` with `activeVersion`, set the
   * active version. The end of a `rolling-out` change clears `desired` of all nodes. All of that is one transaction, so no
   * node returns to the former version in between.
   *
   * @returns the updated change, or undefined if nothing was written
   */
  updateChange(id: string, from: readonly ChangeState[], patch: ChangePatch): Promise<Change | undefined>;

  audit(entry: Omit<AuditEntry, "number" | "at">): Promise<AuditEntry>;
  /** Newest first; `before`: only entries with a smaller number. */
  auditLog(filter: {
    readonly limit: number;
    readonly before?: number;
    readonly change?: string;
  }): Promise<readonly AuditEntry[]>;

  /** Records what a node runs, and that it is alive. */
  report(node: Omit<NodeRecord, "seenAt" | "desired">): Promise<void>;
  /** Nodes that reported within `withinSeconds`, by the database's clock, sorted by id. */
  nodes(withinSeconds: number): Promise<readonly NodeRecord[]>;
  /**
   * Sets the version that a node should run while `change` is rolled out; undefined: the fleet's active version. Writes only
   * while `claimedBy` has the claim of the change, so that a leader that does not know yet that it was replaced has no effect.
   *
   * @returns whether it was written
   */
  setDesired(
    node: string,
    version: string | undefined,
    by: { readonly change: string; readonly claimedBy: string },
  ): Promise<boolean>;

  /** Adds a recording, and deletes all but the newest `keep`. */
  record(recording: Recording, keep: number): Promise<void>;
  /** Newest first. */
  recordings(limit: number): Promise<readonly Recording[]>;

  /** Reads the state of the agent's code. It has up to 10,000 keys, with values up to 64 KiB. */
  stateGet(keys: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /**
   * Writes all changes, or none. A change to undefined deletes the key.
   *
   * @param reads the values that a request read, null for a missing key. If any of them has changed, nothing is written, and
   *   the caller handles the request again. So each request is one serializable transaction across all nodes
   * @returns whether it was written
   * @throws StateFull
   */
  stateSet(
    changes: Readonly<Record<string, string | undefined>>,
    reads?: Readonly<Record<string, string | null>>,
  ): Promise<boolean>;

  /** Reads a small setting of the service, such as `paused`, or the counters of the budgets. */
  setting(name: string): Promise<string | undefined>;
  /** Writes only if the present value is `expected`; undefined: none. @returns whether it was written */
  setSetting(name: string, value: string, expected?: string | undefined): Promise<boolean>;

  /**
   * Runs `lead` while this node is the only leader in `role`, across all nodes. With PostgreSQL, it holds an advisory lock
   * on a connection of its own. The signal is aborted when the leadership is lost.
   *
   * @returns undefined, without calling `lead`, if another node leads
   */
  leading<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined>;

  /** Calls back soon after any node changed something that others may wait for, and also every few seconds. */
  subscribe(onChange: () => void): () => void;

  /** The database's clock, in ms since 1970: the same for all nodes. */
  now(): Promise<number>;

  /** Writes and reads a value, for `/health/deep`. @throws StoreUnavailable */
  check(): Promise<void>;
  close(): Promise<void>;
}

export type VersionSummary = Omit<Version, "sources" | "bundle" | "testBundle">;

/** With a `version`, the change activates that existing version again, and begins as `approved`. */
export type NewChange = Pick<Change, "files" | "summary" | "answers" | "base" | "author" | "activation"> &
  Partial<Pick<Change, "promptHash" | "costUsd" | "version" | "approvedBy" | "reason">>;

export interface ChangePatch
  extends Partial<Pick<Change, "state" | "approvedBy" | "version" | "report" | "reason" | "costUsd">> {
  /** Write only if this node has claimed the change. */
  readonly claimedBy?: string;
  /** With `rolled-back`: the version that the fleet runs again. */
  readonly activeVersion?: string;
}

/** A write would exceed a limit of the state of the agent's code. */
export class StateFull extends Error {
  override readonly name = "StateFull";
}
