import type { Change, Submission } from "../domain.ts";

/** The way of a change through the queue, on whichever node claims it. */
export interface Pipeline {
  /** @throws Conflict if `base` is not the active version */
  submit(submission: Submission, by: Author): Promise<Change>;
  approve(id: string, by: string, reason?: string): Promise<Change>;
  reject(id: string, by: string, reason?: string): Promise<Change>;
  /** An old version again, as a change without checks. */
  activateVersion(id: string, by: string, reason?: string): Promise<Change>;
  rollBack(by: string, reason?: string): Promise<Change>;
  diff(id: string): Promise<string>;
  pause(by: string): Promise<void>;
  resume(by: string): Promise<void>;
  /** When the worker last showed that it is alive, as `performance.now()`; undefined before it was started. */
  lastBeat(): number | undefined;
  /** Begins to work on the queue. */
  start(): void;
  /** Ends after the step that is under way; the change is claimed again by another node, or after the restart. */
  stop(): Promise<void>;
}

export interface Author {
  readonly author: string;
  readonly activation: Change["activation"];
  readonly promptHash?: string;
  readonly costUsd?: number;
}

/** Not possible in the present state; the message says why and what to do. */
export class Conflict extends Error {
  override readonly name = "Conflict";
}

/** There is no change or version of that name. */
export class NotFound extends Error {
  override readonly name = "NotFound";
}
