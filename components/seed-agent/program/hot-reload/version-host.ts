import type { AgentRequest, AgentResponse, SourceDiagnostic, Version } from "../domain.ts";

/**
 * How untrusted code is confined. `bubblewrap`: in new namespaces, without network or files, and with Node's permission
 * model inside. `permission`: only by Node's permission model, if bubblewrap does not work. It does not block the network,
 * so such a node never activates a change without a person.
 */
export type FenceName = "bubblewrap" | "permission";

export interface Fence {
  readonly name: FenceName;
  /** Why it is not bubblewrap. */
  readonly reason?: string;
  /** The path of the bubblewrap program. */
  readonly bubblewrap?: string;
  /** The user that runs the code, if the service is root and that user can read Node's files. */
  readonly user?: number;
  /** The code may create nested namespaces, because bubblewrap can't forbid that if /proc/sys is read-only. */
  readonly allowsNamespaces?: true;
}

export interface HostLimits {
  /** The limit of the whole process, in MiB. */
  readonly memoryMb: number;
  /** The limit of one call. After that, the process is killed, and the call fails. */
  readonly callMilliseconds: number;
  /** The limit until the process is ready. */
  readonly startMilliseconds: number;
  /** Whether it runs at a lower priority than the version that serves: for changes that are only checked. */
  readonly isBackground?: boolean;
}

/**
 * A process that runs one version's code behind a fence, without network, files, environment or secrets. The code reaches
 * the service only by its messages, which are parsed as hostile input.
 */
export interface VersionHost {
  readonly version: string;
  readonly pid: number;
  /** Resident memory in bytes; 0 after the process has ended. */
  memory(): Promise<number>;
  /** Calls run concurrently. @throws HostError, with the code `threw` for an error of the version's own code */
  handle(request: AgentRequest, given: CallContext): Promise<Handled>;
  checks(
    given: CallContext,
  ): Promise<readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]>;
  plan(situation: unknown, given: CallContext): Promise<string | undefined>;
  /** Resolves when the process has ended, for any reason. */
  readonly ended: Promise<{ readonly reason: string }>;
  /** Waits up to `graceMilliseconds` for current calls, then kills the process and its children. */
  end(graceMilliseconds?: number): Promise<void>;
}

/** Everything that a call may depend on besides its input. */
export interface CallContext {
  readonly now: number;
  readonly seed: number;
  /** Reads a key of `context.state`. Called at most 100 times in a call. */
  readonly read: (key: string) => Promise<string | undefined>;
  readonly log?: (message: string) => void;
}

export interface Handled {
  readonly response: AgentResponse;
  /** Changes of the state, to be written if the caller accepts the response. */
  readonly writes: Readonly<Record<string, string | undefined>>;
  /** The values that the call read, null for missing keys. */
  readonly reads: Readonly<Record<string, string | null>>;
  readonly milliseconds: number;
}

/** `busy`: the process has too many calls at once. Nothing has happened, and the call can be repeated. */
export type HostErrorCode = "threw" | "timeout" | "ended" | "invalid" | "did not start" | "busy";

export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Starts a version's process. @throws HostError */
export type StartHost = (version: Pick<Version, "id" | "bundle">, limits: HostLimits) => Promise<VersionHost>;

export interface TestOutcome {
  readonly name: string;
  readonly passed: boolean;
  readonly milliseconds: number;
  readonly diagnostic?: SourceDiagnostic;
}
