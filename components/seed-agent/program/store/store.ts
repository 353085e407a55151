export { StoreUnavailable } from "../database/database.ts";

import type { AuditEntry, Change, ChangeState, NodeRecord, Recording, Version } from "../domain.ts";

/**
 * What the nodes of a seed agent agree on: versions, the queue of changes, the audit log, who runs what. In SQLite for
 * one node, in PostgreSQL for several, by the same SQL (`database/`). Every method is one transaction.
 *
 * @throws StoreUnavailable if the database can't be reached
 */
export interface Store {
  readonly kind: "sqlite" | "postgres";

  /** Allots the next id. Idempotent for the same change: a second call returns the version that the first one made. */
  addVersion(version: Omit<Version, "id" | "createdAt">, change: string): Promise<Version>;
  version(id: string): Promise<Version | undefined>;
  /** Newest first, without their sources and bundles. */
  versions(limit: number): Promise<readonly VersionSummary[]>;
  /** Deletes the oldest but `keep`, the active one, its ancestors up to `keep`, and what a node runs or should run. */
  pruneVersions(keep: number): Promise<readonly string[]>;
  /** The version that the fleet runs; undefined before the first activation: `v0`. */
  activeVersion(): Promise<string | undefined>;

  submit(submission: NewChange): Promise<Change>;
  change(id: string): Promise<Change | undefined>;
  /** Newest first. */
  changes(filter: { readonly states?: readonly ChangeState[]; readonly limit: number }): Promise<readonly Change[]>;
  countChanges(states: readonly ChangeState[]): Promise<number>;
  /**
   * The first change in one of `claimableStates` that no other live worker has, those being rolled out or approved before
   * those to be checked, then the oldest, now this node's for `leaseSeconds`. At most
   * one change is claimed at a time in the whole fleet: versions are activated one after another. A `queued` change
   * becomes `checking`, an `approved` one `rolling-out`, and `attempts` is counted.
   */
  claim(node: string, leaseSeconds: number): Promise<Change | undefined>;
  /** @returns false if the claim is lost: stop working on it, and write nothing */
  renewClaim(change: string, node: string, leaseSeconds: number): Promise<boolean>;
  /**
   * Writes only if the change is in one of `from`, and, with `claimedBy`, only if the claim is still that node's. An end
   * state, `waiting` and, from `checking`, `approved` give up the claim. Making it `active` sets the active version, in the same transaction; so does
   * `rolled-back` with `activeVersion`. The end of a `rolling-out` change clears `desired` of all nodes, in the same
   * transaction too: no node returns to the former version in between.
   *
   * @returns the change as it is now, or undefined if it was not written
   */
  updateChange(id: string, from: readonly ChangeState[], patch: ChangePatch): Promise<Change | undefined>;

  audit(entry: Omit<AuditEntry, "number" | "at">): Promise<AuditEntry>;
  /** Newest first; `before`: only entries with a smaller number. */
  auditLog(filter: {
    readonly limit: number;
    readonly before?: number;
    readonly change?: string;
  }): Promise<readonly AuditEntry[]>;

  /** What a node is and runs; also its sign of life. */
  report(node: Omit<NodeRecord, "seenAt" | "desired">): Promise<void>;
  /** Nodes seen within `withinSeconds` by the database's clock, sorted by id. */
  nodes(withinSeconds: number): Promise<readonly NodeRecord[]>;
  /**
   * What a node should run while `change` is rolled out; undefined: what the fleet runs. Writes only while `claimedBy` has
   * claimed the change, so that a leader that was replaced without knowing it has no effect.
   *
   * @returns whether it was written
   */
  setDesired(
    node: string,
    version: string | undefined,
    by: { readonly change: string; readonly claimedBy: string },
  ): Promise<boolean>;

  /** Keeps the newest `keep` recordings. */
  record(recording: Recording, keep: number): Promise<void>;
  /** Newest first. */
  recordings(limit: number): Promise<readonly Recording[]>;

  /** The state of the agent's code. Values up to 64 KiB, 10,000 keys. */
  stateGet(keys: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /**
   * All or none. undefined deletes.
   *
   * @param reads what a request read, null for a key that was not there: if any of it is different now, nothing is written,
   *   and the request is handled again. So each request is one serializable transaction, on all nodes together
   * @returns whether it was written
   * @throws StateFull
   */
  stateSet(
    changes: Readonly<Record<string, string | undefined>>,
    reads?: Readonly<Record<string, string | null>>,
  ): Promise<boolean>;

  /** Small settings of the service, such as `paused` and the budgets' counters. */
  setting(name: string): Promise<string | undefined>;
  /** @param expected writes only if this is its value now; undefined: if there is none. @returns whether it was written */
  setSetting(name: string, value: string, expected?: string | undefined): Promise<boolean>;

  /**
   * Runs `lead` while this node is the only leader of `role`, whatever the number of nodes; PostgreSQL: an advisory lock
   * on a connection of its own. The signal is aborted when the leadership is lost.
   *
   * @returns undefined, without a call of `lead`, if another node leads
   */
  leading<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined>;

  /** Calls back soon after any node changed something that others wait for: LISTEN/NOTIFY, and a poll for what it misses. */
  subscribe(onNews: () => void): () => void;

  /** The database's clock, in ms since 1970: the same for all nodes. */
  now(): Promise<number>;

  /** Writes and reads: for `/health/deep`. @throws StoreUnavailable */
  check(): Promise<void>;
  close(): Promise<void>;
}

export type VersionSummary = Omit<Version, "sources" | "bundle" | "testBundle">;

/** With a `version`, that existing version is to be activated again: the change begins as `approved`. */
export type NewChange = Pick<Change, "files" | "summary" | "answers" | "base" | "author" | "activation"> &
  Partial<Pick<Change, "promptHash" | "costUsd" | "version" | "approvedBy" | "reason">>;

export interface ChangePatch
  extends Partial<Pick<Change, "state" | "approvedBy" | "version" | "report" | "reason" | "costUsd">> {
  /** Only if this node has claimed it. */
  readonly claimedBy?: string;
  /** With `rolled-back`: what the fleet runs again. */
  readonly activeVersion?: string;
}

/** The state of the agent's code is too large. */
export class StateFull extends Error {
  override readonly name = "StateFull";
}
