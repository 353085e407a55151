import type { SandboxSpec } from "./spec.ts";

/** Where sandboxes run. Each is one folder with a `provider.ts`, and one line in `providers.ts`. */
export interface SandboxProvider {
  readonly capabilities: Capabilities;
  /**
   * Builds the base image, which all sandboxes share, unless there is one with the same content.
   *
   * @returns the image's id, which is the same for the same content
   */
  prepareImage(options: PrepareOptions): Promise<string>;
  /** Creates the volume of this name if there is none. @returns whether it was created */
  ensureVolume(name: string): Promise<boolean>;
  /** @throws SandboxError with the step `create`. A sandbox that can't be created leaves nothing behind */
  create(options: CreateOptions): Promise<Sandbox>;
  /**
   * Takes over a sandbox, for instance after the service that used it was killed. Ends the programs that still run in it.
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
  /** What separates a sandbox from the machine it runs on. */
  readonly isolation: "namespaces" | "container" | "gvisor" | "none";
  readonly snapshots: boolean;
  readonly volumes: boolean;
  /** How egress can be limited: by host name, all or nothing, or not at all. */
  readonly egress: "hosts" | "all or nothing" | "none";
  /** Whether a sandbox's programs can use a model's API without its key: `Sandbox.accessApi`. */
  readonly broker: boolean;
  /** Whether the provider ends a sandbox when its time is over. Otherwise only the session service does. */
  readonly expires: boolean;
  /** The longest that a sandbox may live, in seconds; undefined: no limit. */
  readonly longestSeconds?: number | undefined;
}

export interface PrepareOptions extends Progress {
  /** The changeling that needs the image: a provider may prepare only what its sandboxes use. By default, everything. */
  readonly spec?: SandboxSpec | undefined;
}

/** Options of every long operation. */
export interface Progress {
  readonly signal?: AbortSignal | undefined;
  /** Called with lines for a person. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface CreateOptions extends Progress {
  /** Unique per sandbox: letters, digits and `-`, at most 63. */
  readonly id: string;
  readonly spec: SandboxSpec;
  /** The result of `prepareImage`; ignored with a snapshot. */
  readonly image: string;
  /** The snapshot to start from, instead of the image. */
  readonly snapshot?: string | undefined;
  /** Whether more sandboxes will start from the same snapshot, so that a provider may prepare for the next one. */
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

/** A live sandbox. It has its own `/workspace`, `/root`, `/app` and `/tmp`. */
export interface Sandbox {
  /** For `open`, also after a restart of this process. */
  readonly id: string;
  /**
   * Runs a program and waits until it exits. It never inherits this process's environment. When it exits, and when the
   * signal is aborted, all processes that it started are ended too.
   *
   * @throws SandboxGone if the sandbox no longer exists
   */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecEnd>;
  /**
   * Gives programs in the sandbox access to a model's API and keeps the key outside: they use a token, which is valid only in
   * this sandbox and until `end`. undefined where their requests don't pass through this process.
   *
   * @throws SandboxError if the URL or a header is not valid
   */
  readonly accessApi?: ((api: BrokeredApi) => ApiAccess) | undefined;
  /** The file system without its volumes, for `create({ snapshot })`. @throws if the provider has no snapshots */
  snapshot(options?: Progress): Promise<string>;
  /** Succeeds if it is already gone. Volumes and snapshots are kept. */
  terminate(): Promise<void>;
}

export interface BrokeredApi {
  readonly kind: "anthropic" | "openai";
  /** http or https, without a user name and a password. It may be on this machine: its owner has set it. */
  readonly baseUrl: string;
  /** The header that requests to the API get. */
  readonly credential: readonly [header: "x-api-key" | "authorization", value: string];
  /** More headers for requests to the API. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface ApiAccess {
  /** The API's base URL for programs in the sandbox. */
  readonly url: string;
  /** Takes the place of the key. */
  readonly token: string;
  /** Invalidates the token, and cuts off its requests. */
  end(): void;
}

export interface ExecOptions {
  readonly timeoutSeconds: number;
  /** Absolute path in the sandbox; `/` by default. */
  readonly cwd?: string | undefined;
  /** Added to the sandbox's own PATH, HOME (`/root`) and so on. May be secret: it never gets into an argv or a log. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `false`: the provider may run it without a network, which saves the time to set one up. `true` by default. */
  readonly needsNetwork?: boolean | undefined;
  /** Empty by default. Can be 100 MB long. */
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

/** A step of a sandbox's life failed. The message says why, for a person. */
export class SandboxError extends Error {
  override readonly name: string = "SandboxError";
  /** For instance `clone`. */
  readonly step: string;

  constructor(step: string, reason: string, options?: ErrorOptions) {
    super(`${step}: ${reason}`, options);
    this.step = step;
  }
}

/** The sandbox no longer exists. */
export class SandboxGone extends SandboxError {
  override readonly name = "SandboxGone";

  constructor(id: string) {
    super("sandbox", `${id} no longer exists: it was terminated, or its time is over`);
  }
}
