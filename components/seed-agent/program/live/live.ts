import type { AgentRequest, AgentResponse, Version } from "../domain.ts";

/**
 * What this node runs: the host of the active version, and, in probation, the warm one of the version before, to which a
 * request or the whole node returns at once.
 */
export interface Live {
  readonly active: string;
  /** Answers with the active version. Never rejects: a failure is a 500, 503 or 504 with a reason. */
  handle(request: AgentRequest): Promise<AgentResponse>;
  /**
   * Starts the version's host, switches to it once it answers, and begins its probation. Requests under way are finished
   * by the former host. The former one stays warm until probation ends.
   *
   * @throws HostError if it does not start; then nothing has changed
   */
  activate(version: Version): Promise<void>;
  /** Ends probation well: the former host is ended, and the version counts as good. */
  keep(): Promise<void>;
  /** Returns to the version before. Succeeds if that is already active. @returns the version that is active now */
  revert(reason: string): Promise<string>;
  /** The probation of the newest version that was activated here, also when it is over; undefined before the first. */
  probation(): Probation | undefined;
  /** Why this node does not serve well, in words. */
  problem(): string | undefined;
  /** What the service noticed: errors, slow requests, failing checks. For improvements. */
  signals(): readonly Signal[];
  /** The active version's `plan.ts`. @throws HostError */
  plan(situation: unknown): Promise<string | undefined>;
  /** The active version's `checks.ts`. @throws HostError */
  checks(): Promise<readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]>;
  /** Of the active version's process, in bytes. */
  memory(): Promise<number>;
  close(): Promise<void>;
}

export interface Probation {
  readonly version: string;
  readonly former: string;
  readonly startedAt: number;
  /** `passed` when its time is over without a complaint. */
  readonly state: "under way" | "passed" | "failed";
  /** Why it failed, in words. */
  readonly reason?: string;
  readonly requests: number;
  readonly errors: number;
}

export interface Signal {
  readonly kind: "error" | "slow" | "check" | "rejected" | "rolled-back";
  readonly summary: string;
  readonly count: number;
  readonly request?: AgentRequest;
}
