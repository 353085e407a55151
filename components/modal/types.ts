import type { StackIdentity } from "./identity.ts";
import type { ModalToken } from "./token.ts";

/** The observed state on Modal, read once per run. Apps, Secrets and volumes are those of the whole environment. */
export interface ObservedModal {
  /** The environment with the stack's home volume; undefined if nothing of the stack was found. */
  readonly environment: string | undefined;
  /** undefined if the first `up` was interrupted before it wrote the identity. */
  readonly identity: StackIdentity | undefined;
  readonly apps: ReadonlyMap<string, App>;
  /** Ids by name. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Ids by name. */
  readonly volumes: ReadonlyMap<string, string>;
  /** The ids that each changeling's app was deployed with. Apps that an older version deployed have no record. */
  readonly deployedIds: ReadonlyMap<string, readonly DeployedIds[]>;
  /** By label. */
  readonly snapshots: ReadonlyMap<string, ObservedSnapshot>;
}

/** The record of a snapshot that runs start from, and whether its image still exists. */
export interface ObservedSnapshot {
  /** When it was recorded (unix seconds). */
  readonly recordedAt: number;
  readonly hasImage: boolean;
}

/**
 * The ids of the Secrets and volumes that an app was deployed with. Modal resolves their names when an app is deployed,
 * so an app whose Secret was deleted and recreated can't start until it is deployed again.
 *
 * They are encoded in the names of empty files on the stack's home volume, so one listing returns those of a whole
 * fleet.
 */
export interface DeployedIds {
  readonly stackSecret: string;
  /** undefined if it has no secrets of its own. */
  readonly secret: string | undefined;
  readonly homeVolume: string;
  readonly runsVolume: string;
}

export interface ModalOptions {
  /** undefined: every call fails with `no_token`. */
  readonly token: ModalToken | undefined;
  /** PATH, HOME, proxies, and Modal's own settings (see `modalEnvironment`); nothing else in it is used. */
  readonly env: NodeJS.ProcessEnv;
}

export interface App {
  readonly id: string;
  readonly name: string;
  /** `other`: created but never deployed, or in transition. */
  readonly state: "deployed" | "stopped" | "other";
  /** Unix seconds. */
  readonly createdAt: number;
}

export interface Secret {
  readonly id: string;
  readonly name: string;
}

export interface Volume {
  readonly id: string;
  readonly name: string;
}

export interface Deployment {
  /** Starts at 1. */
  readonly version: number;
  readonly tag: string;
  /** Unix seconds. */
  readonly deployedAt: number;
}

export interface Sandbox {
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface VolumeFile {
  /** Relative to the volume's root, without a leading slash. */
  readonly path: string;
  readonly isFolder: boolean;
  /** Unix seconds. */
  readonly modifiedAt: number;
  readonly bytes: number;
}

export interface FunctionCall {
  readonly app: string;
  readonly function: string;
  readonly environment: string;
  /** Arguments by name, as plain data. */
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface DeployOptions {
  /** The app's name. */
  readonly name: string;
  readonly environment: string;
  /** Up to 50 letters, digits, `.`, `_` and `-`; shown in the app's history. */
  readonly tag: string;
  /** Variables that the file reads during deployment; nothing secret. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface BuildOptions {
  /** The subject of the error message. */
  readonly what: string;
  readonly environment: string;
  /** Variables that the file reads; nothing secret. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Queries and changes to Modal. All names belong to an environment. Every promise settles within its timeout, even if
 * Modal hangs: 15 s for a read, or as documented. All methods throw ModalError.
 */
export interface Modal {
  /** Names. */
  environments(): Promise<string[]>;
  /** One app per name, the live one if there is one: Modal lists stopped apps for a while. */
  apps(environment: string): Promise<App[]>;
  secrets(environment: string): Promise<Secret[]>;
  volumes(environment: string): Promise<Volume[]>;
  /** The direct children of a folder on a volume; empty if the folder does not exist. */
  files(volume: string, environment: string, folder: string): Promise<VolumeFile[]>;
  /** The text of a small file; undefined if it does not exist. */
  readFile(volume: string, environment: string, path: string): Promise<string | undefined>;
  /** The running sandboxes with all of these tags. */
  sandboxes(environment: string, tags: Readonly<Record<string, string>>): Promise<Sandbox[]>;
  /** Whether an image with that id exists; a sandbox's snapshot is an image. */
  hasImage(id: string): Promise<boolean>;
  /** Newest deployment first. */
  history(appId: string): Promise<Deployment[]>;
  /** Calls a deployed function and waits for its result, up to the timeout. */
  call(call: FunctionCall, options: { timeoutSeconds: number }): Promise<unknown>;
  /** Calls a deployed function without waiting. @returns the id of the call */
  spawn(call: FunctionCall): Promise<string>;
  /** Waits for the result of a spawned call, up to the timeout. @param call the id of the call */
  result(call: string, options: { timeoutSeconds: number }): Promise<unknown>;

  /** Succeeds if it exists, like the next two. */
  createEnvironment(name: string): Promise<void>;
  /** @param options.version 2: many clients may write concurrently, and a sandbox's `sync` commits */
  createVolume(name: string, environment: string, options?: { version: 1 | 2 }): Promise<void>;
  /** Creates it, or replaces all of its values. @returns its id, which an existing Secret keeps if Modal allows it */
  putSecret(name: string, environment: string, values: Readonly<Record<string, string>>): Promise<string>;
  /** Succeeds if it is already gone, like the next two. */
  deleteSecret(name: string, environment: string): Promise<void>;
  stopApp(name: string, environment: string): Promise<void>;
  deleteImage(id: string): Promise<void>;
  /** Ends all running sandboxes with these tags, within a minute. @returns the tags of each */
  endSandboxes(environment: string, tags: Readonly<Record<string, string>>): Promise<Record<string, string>[]>;
  /** Runs a shell script's text in a running sandbox, within half a minute. @returns its output */
  runInSandbox(id: string, script: string): Promise<string>;
  /** Deletes the volume and its data. Succeeds if it is already gone. */
  deleteVolume(name: string, environment: string): Promise<void>;
  /** Writes or overwrites small files on a volume, all at once. @param files texts by path */
  writeFiles(volume: string, environment: string, files: Readonly<Record<string, string>>): Promise<void>;
  /** Removes a file, or a folder with everything in it. */
  removeFile(volume: string, environment: string, path: string): Promise<void>;
  /**
   * Deploys a Python file, for at most 30 minutes. The steps of an image build are streamed to stderr; an error ends
   * with the build's log tail.
   */
  deploy(appFile: string, options: DeployOptions): Promise<void>;
  /** Runs the local entrypoint of a Python file that builds an image; output and errors are as for `deploy`. */
  build(buildFile: string, options: BuildOptions): Promise<void>;
  /** Downloads a file, or everything below a folder, into an existing local folder; takes at most 10 minutes. */
  download(volume: string, environment: string, path: string, folder: string): Promise<void>;
}
