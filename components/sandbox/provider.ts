import type { SandboxSpec } from "./spec.ts";

/** Where sandboxes run. Each is one folder with a `provider.ts`, and one line in `providers.ts`. */
export interface SandboxProvider {
  readonly capabilities: Capabilities;
  /**
   * Makes sure that the base image is there: built once for its content, and shared by all sandboxes. Idempotent.
   *
   * @returns the image's id, which is the same for the same content
   */
  prepareImage(options: PrepareOptions): Promise<string>;
  /** Makes sure that a named volume is there. @returns whether it was made now */
  ensureVolume(name: string): Promise<boolean>;
  /** @throws SandboxError with the step `create`; nothing is left of a sandbox that could not be made */
  create(options: CreateOptions): Promise<Sandbox>;
  /**
   * Takes a sandbox over, for instance after the death of the service that had it: programs that still run in it are
   * ended first.
   *
   * @returns undefined if the sandbox is gone: terminated, expired, or its machine died
   */
  open(id: string): Promise<Sandbox | undefined>;
  /** The live sandboxes that have all these labels. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly ListedSandbox[]>;
  /** Succeeds if it is already gone. */
  removeSnapshot(id: string): Promise<void>;
}

export interface Capabilities {
  /** What separates a sandbox from the machine that it runs on. */
  readonly isolation: "namespaces" | "container" | "gvisor" | "none";
  readonly snapshots: boolean;
  readonly volumes: boolean;
  /** How egress can be limited: by host name, all or nothing, or not at all. */
  readonly egress: "hosts" | "all or nothing" | "none";
  /** Whether the provider itself ends a sandbox whose time is over. Otherwise the session service does. */
  readonly expires: boolean;
  /** How long the provider lets a sandbox live at most. */
  readonly longestSeconds?: number | undefined;
}

export interface PrepareOptions extends Progress {
  /** Whose sandboxes it is for: a provider may prepare only what these need. Everything by default. */
  readonly spec?: SandboxSpec | undefined;
}

/** Reports progress of what takes long, as lines for a person. */
export interface Progress {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface CreateOptions extends Progress {
  /** Unique per sandbox: letters, digits and `-`, at most 63. */
  readonly id: string;
  readonly spec: SandboxSpec;
  /** What `prepareImage` returned; ignored with a snapshot. */
  readonly image: string;
  /** Starts from this snapshot's file system instead of the image. */
  readonly snapshot?: string | undefined;
  /** Whether other sandboxes will start from the snapshot too: a provider may prepare for the next one. */
  readonly isShared?: boolean | undefined;
  /** Volume names by the absolute path in the sandbox. */
  readonly volumes: Readonly<Record<string, string>>;
  /** For `list`. Keys and values: letters, digits, `.`, `_`, `-`. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface ListedSandbox {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** A live sandbox. Its programs see `/workspace`, `/root`, `/app` and `/tmp` of its own. */
export interface Sandbox {
  /** Enough to `open` it again, also after a restart of this machine's programs. */
  readonly id: string;
  /**
   * Runs a program to its end. It never inherits this process's environment. All its processes end with it, and with
   * the signal's abort (then the result's code is 130).
   *
   * @throws SandboxGone if the sandbox does not exist any more
   */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecEnd>;
  /** The file system without its volumes, for `create({ snapshot })`. @throws if the provider has no snapshots */
  snapshot(options?: Progress): Promise<string>;
  /** Succeeds if it is already gone. Volumes and snapshots are kept. */
  terminate(): Promise<void>;
}

export interface ExecOptions {
  readonly timeoutSeconds: number;
  /** Absolute path in the sandbox; `/` by default. */
  readonly cwd?: string | undefined;
  /** Added to the sandbox's own PATH, HOME (`/root`) and so on. May be secret: it never gets into an argv or a log. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `false` lets a provider run it without a network, so that it need not wait for one. By default it has one. */
  readonly needsNetwork?: boolean | undefined;
  /** Empty by default. May have 100 MB. */
  readonly stdin?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with output as it arrives. A multi-byte character is never split. Must not throw. */
  readonly onOutput?: ((text: string, stream: "stdout" | "stderr") => void) | undefined;
  /** `false`: the output is passed to `onOutput` only, and is missing from the result, so that it takes no memory. */
  readonly keepsOutput?: boolean | undefined;
  /** The most characters that the program may print to one stream; `maxOutputCharacters` by default. */
  readonly maxOutput?: number | undefined;
}

/** The default of `ExecOptions.maxOutput`. */
export const maxOutputCharacters = 256 * 1024 * 1024;

export interface ExecEnd {
  /**
   * 124 if its timeout ended it, 130 if the signal did, 127 if the program was not found, 137 if it printed more than
   * `maxOutput`.
   */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A step of a sandbox's life that failed, with a reason for a person. */
export class SandboxError extends Error {
  override readonly name: string = "SandboxError";
  /** For instance `clone`. */
  readonly step: string;

  constructor(step: string, reason: string, options?: ErrorOptions) {
    super(`${step}: ${reason}`, options);
    this.step = step;
  }
}

/** The sandbox does not exist any more. */
export class SandboxGone extends SandboxError {
  override readonly name = "SandboxGone";

  constructor(id: string) {
    super("sandbox", `${id} does not exist any more: it was terminated, or its time is over`);
  }
}
