import type { Change, Submission } from "../domain.ts";

/** The queue of changes. Any node may claim a change and work on it. */
export interface Pipeline {
  /** @throws Conflict if `base` is not the active version */
  submit(submission: Submission, by: Author): Promise<Change>;
  approve(id: string, by: string, reason?: string): Promise<Change>;
  reject(id: string, by: string, reason?: string): Promise<Change>;
  /** Submits a change that activates an old version again, without checks. */
  activateVersion(id: string, by: string, reason?: string): Promise<Change>;
  rollBack(by: string, reason?: string): Promise<Change>;
  diff(id: string): Promise<string>;
  pause(by: string): Promise<void>;
  resume(by: string): Promise<void>;
  /** When the worker last reported that it is alive, as `performance.now()`; undefined before it was started. */
  lastBeat(): number | undefined;
  /** Starts the worker. */
  start(): void;
  /** Stops the worker. Its change is claimed again by another node, or after the restart. */
  stop(): Promise<void>;
}

export interface Author {
  readonly author: string;
  readonly activation: Change["activation"];
  readonly promptHash?: string;
  readonly costUsd?: number;
}

/** The request is not possible in the present state. The message says why. */
export class Conflict extends Error {
  override readonly name = "Conflict";
}

/** There is no such change or version. */
export class NotFound extends Error {
  override readonly name = "NotFound";
}
