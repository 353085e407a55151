import type { AgentRequest, AgentResponse, Version } from "../domain.ts";

/**
 * The versions that this node runs: the active one, and during its probation the former one, which stays warm so that a
 * request or the whole node can return to it at once.
 */
export interface Live {
  readonly active: string;
  /** Lets the active version answer. Never rejects: a failure is a 500, 503, 504 or 507 with a reason. */
  handle(request: AgentRequest): Promise<AgentResponse>;
  /**
   * Starts the version's process, switches to it when it answers, and begins its probation. The former version finishes its
   * current requests, and stays warm until the probation ends.
   *
   * @throws HostError if it does not start; then nothing has changed
   */
  activate(version: Version): Promise<void>;
  /** Ends the probation as passed: the former version's process is ended, and the new version counts as good. */
  keep(): Promise<void>;
  /** Returns to the former version. Succeeds if that is already active. @returns the version that is active now */
  revert(reason: string): Promise<string>;
  /** The last probation on this node, also after its end; undefined if there was none. */
  probation(): Probation | undefined;
  /** Why this node does not serve well. */
  problem(): string | undefined;
  /** Problems that the service noticed: errors, slow requests, failing checks. Improvements are based on them. */
  signals(): readonly Signal[];
  /** Runs the active version's `plan.ts`. @throws HostError */
  plan(situation: unknown): Promise<string | undefined>;
  /** Runs the active version's `checks.ts`. @throws HostError */
  checks(): Promise<readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]>;
  /** Resident memory of the active version's process, in bytes. */
  memory(): Promise<number>;
  close(): Promise<void>;
}

export interface Probation {
  readonly version: string;
  readonly former: string;
  readonly startedAt: number;
  /** `passed` if its time is over, and no regression was found. */
  readonly state: "under way" | "passed" | "failed";
  /** Why it failed. */
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
