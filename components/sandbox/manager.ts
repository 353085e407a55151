import type { Progress } from "./provider.ts";
import type { ExecuteOptions } from "./runtimes/runtime.ts";
import type { SandboxSpec } from "./spec.ts";

/** Makes sandboxes with a repository, a memory and an initialized runtime in them. */
export interface SandboxManager {
  /** @throws SandboxError that names the step; a half-made sandbox is torn down */
  start(spec: SandboxSpec, options: StartOptions): Promise<RunningSandbox>;
  /** Opens the session's sandbox after a restart of the service, or makes it again from its snapshot. */
  reopen(spec: SandboxSpec, options: ReopenOptions): Promise<RunningSandbox>;
}

export interface StartOptions extends Progress {
  readonly sessionId: string;
  /** Values of the changeling's secrets that are set, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Overrides the declared branch. */
  readonly branch?: string | undefined;
}

export interface ReopenOptions extends StartOptions {
  readonly sandboxId: string;
  /** The session's last snapshot, used if the sandbox is gone. */
  readonly snapshot?: string | undefined;
  /** The runtime's last `state` event. */
  readonly state?: unknown;
}

/** A sandbox with an initialized runtime. */
export interface RunningSandbox {
  readonly sandboxId: string;
  /** @throws RuntimeError */
  prompt(text: string, options?: ExecuteOptions): Promise<string>;
  currentBranch(): Promise<string>;
  /** The work since the declared branch, committed or not, as a unified diff. Cut above `maxBytes`. */
  diff(maxBytes: number): Promise<string>;
  /** The work as a git bundle in base64: every commit since the declared branch, without uncommitted changes. */
  bundle(): Promise<string>;
  snapshot(): Promise<string>;
  terminate(): Promise<void>;
}
