import type { AgentRequest, AgentResponse, SourceDiagnostic, Version } from "../domain.ts";

/**
 * How code that is not trusted is confined. `bubblewrap`: namespaces of its own without network, nothing but its own
 * files readable, and Node's permission model within. `permission`: that model alone, where bubblewrap is not to be had:
 * it lets network through, so such a node never activates a change by itself.
 */
export type FenceName = "bubblewrap" | "permission";

export interface Fence {
  readonly name: FenceName;
  /** Why it is not bubblewrap, in words. */
  readonly reason?: string;
  /** The bubblewrap program. */
  readonly bubblewrap?: string;
  /** The user that the code runs as, if the service is root and that user may read what Node needs. */
  readonly user?: number;
  /** The code's process may make namespaces of its own: bubblewrap can't forbid it where /proc/sys is read-only. */
  readonly allowsNamespaces?: true;
}

export interface HostLimits {
  /** Of the whole process, in MiB. */
  readonly memoryMb: number;
  /** Of one call; then the process is killed and the call fails. */
  readonly callMilliseconds: number;
  /** Of the process until it is ready. */
  readonly startMilliseconds: number;
  /** Runs at a lower priority than what serves: for code that is only tried. */
  readonly isBackground?: boolean;
}

/**
 * A process of its own that runs one version's code, fenced in: no network, no files, no environment, no secrets. The
 * code can't reach the service but by its answers, and these are parsed like any hostile input.
 */
export interface VersionHost {
  readonly version: string;
  readonly pid: number;
  /** Resident memory in bytes; 0 after its end. */
  memory(): Promise<number>;
  /** Calls are concurrent. @throws HostError; the code's own error is `threw` */
  handle(request: AgentRequest, given: Given): Promise<Handled>;
  checks(given: Given): Promise<readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]>;
  plan(situation: unknown, given: Given): Promise<string | undefined>;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<{ readonly reason: string }>;
  /** Waits for calls under way up to `graceMilliseconds`, then kills the process and all below it. */
  end(graceMilliseconds?: number): Promise<void>;
}

/** What a call may depend on. */
export interface Given {
  readonly now: number;
  readonly seed: number;
  /** Reads of `context.state`; called at most 100 times in a call. */
  readonly read: (key: string) => Promise<string | undefined>;
  readonly log?: (message: string) => void;
}

export interface Handled {
  readonly response: AgentResponse;
  /** To be written if the caller accepts the response. */
  readonly writes: Readonly<Record<string, string | undefined>>;
  /** What it read, for a recording. */
  readonly reads: Readonly<Record<string, string | null>>;
  readonly milliseconds: number;
}

/** `busy`: too many calls are under way; nothing happened, and the call can be repeated. */
export type HostErrorCode = "threw" | "timeout" | "ended" | "invalid" | "did not start" | "busy";

export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The only thing that `hot-reload/` exports to others, besides `check`. @throws HostError */
export type StartHost = (version: Pick<Version, "id" | "bundle">, limits: HostLimits) => Promise<VersionHost>;

export interface TestOutcome {
  readonly name: string;
  readonly passed: boolean;
  readonly milliseconds: number;
  readonly diagnostic?: SourceDiagnostic;
}
