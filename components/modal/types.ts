import type { StackIdentity } from "./identity.ts";
import type { ModalToken } from "./token.ts";

/** What stands on Modal, read once per run: plain data. Apps, Secrets and volumes are all of the environment's. */
export interface ModalSite {
  /** The environment that holds the stack's home volume; undefined: nothing of the stack was found. */
  readonly environment: string | undefined;
  /** undefined: the first `up` did not come that far. */
  readonly identity: StackIdentity | undefined;
  readonly apps: ReadonlyMap<string, App>;
  /** Ids by name. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Ids by name. */
  readonly volumes: ReadonlyMap<string, string>;
  /** By changeling, what its app was deployed with. Nothing is recorded of apps that an older version deployed. */
  readonly deployedIds: ReadonlyMap<string, readonly DeployedIds[]>;
  /** By label. */
  readonly snapshots: ReadonlyMap<string, SiteSnapshot>;
}

/** The record of a snapshot that runs start from, and whether they can. */
export interface SiteSnapshot {
  /** When it was recorded (unix seconds). */
  readonly recordedAt: number;
  readonly hasImage: boolean;
}

/**
 * The ids of the Secrets and volumes that an app was deployed with. Modal resolves their names when an app is deployed,
 * so an app whose Secret was deleted and made again can't start until it is deployed again.
 *
 * They are in the names of empty files on the stack's home volume: one listing reads those of a whole fleet.
 */
export interface DeployedIds {
  readonly stackSecret: string;
  /** undefined: it has no secrets of its own. */
  readonly secret: string | undefined;
  readonly homeVolume: string;
  readonly runsVolume: string;
}

export interface ModalOptions {
  /** undefined: every call fails with `no_token`. */
  readonly token: ModalToken | undefined;
  /** PATH, HOME, proxies, and Modal's own settings (see `modalEnvironment`); nothing else is read from it. */
  readonly env: NodeJS.ProcessEnv;
}

export interface App {
  readonly id: string;
  readonly name: string;
  /** `other`: made, but never deployed, or on its way from one to another. */
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
  /** From 1 on. */
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
  /** From the volume's root, without a leading slash. */
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
  /** Arguments by name: plain data. */
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface DeployOptions {
  /** The app's. */
  readonly name: string;
  readonly environment: string;
  /** Up to 50 letters, digits, `.`, `_` and `-`; it stands in the app's history. */
  readonly tag: string;
  /** Variables that the file reads while it is deployed; nothing secret. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface BuildOptions {
  /** What an error says has failed. */
  readonly what: string;
  readonly environment: string;
  /** Variables that the file reads; nothing secret. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * What is asked of Modal, and done there. All names are an environment's. Every promise settles within its deadline,
 * also when Modal hangs: 15 s for a read, more where said. All throw ModalError.
 */
export interface Modal {
  /** Names. */
  environments(): Promise<string[]>;
  /** One per name, the live one if there is one: Modal lists apps for a while after they were stopped. */
  apps(environment: string): Promise<App[]>;
  secrets(environment: string): Promise<Secret[]>;
  volumes(environment: string): Promise<Volume[]>;
  /** What is right below a folder of a volume; nothing for a folder that is not there. */
  files(volume: string, environment: string, folder: string): Promise<VolumeFile[]>;
  /** The text of a small file; undefined when it is not there. */
  readFile(volume: string, environment: string, path: string): Promise<string | undefined>;
  /** Those that run and have all of these tags. */
  sandboxes(environment: string, tags: Readonly<Record<string, string>>): Promise<Sandbox[]>;
  /** Whether there is an image of that id: a sandbox's snapshot is one. */
  hasImage(id: string): Promise<boolean>;
  /** The last deployment first. */
  history(appId: string): Promise<Deployment[]>;
  /** Calls a deployed function and waits for what it returns, for as long as is said. */
  call(call: FunctionCall, options: { timeoutSeconds: number }): Promise<unknown>;
  /** Calls it and does not wait. @returns the id of the call */
  spawn(call: FunctionCall): Promise<string>;
  /** Waits for what a spawned call returns, for as long as is said. @param call the id of the call */
  result(call: string, options: { timeoutSeconds: number }): Promise<unknown>;

  /** One that is there is fine, as for the next two. */
  createEnvironment(name: string): Promise<void>;
  /** @param options.version 2: many may write at once, and a sandbox's `sync` commits */
  createVolume(name: string, environment: string, options?: { version: 1 | 2 }): Promise<void>;
  /** Makes it, or replaces all of its values. @returns its id, which an existing Secret keeps if Modal allows it */
  putSecret(name: string, environment: string, values: Readonly<Record<string, string>>): Promise<string>;
  /** One that is gone is fine, as for the next two. */
  deleteSecret(name: string, environment: string): Promise<void>;
  stopApp(name: string, environment: string): Promise<void>;
  deleteImage(id: string): Promise<void>;
  /** Ends all running sandboxes that have these tags, within a minute. @returns the tags of each */
  endSandboxes(environment: string, tags: Readonly<Record<string, string>>): Promise<Record<string, string>[]>;
  /** Runs the text of a shell script in a running sandbox, within half a minute. @returns what it prints */
  runInSandbox(id: string, script: string): Promise<string>;
  /** With all that is on it; one that is gone is fine. */
  deleteVolume(name: string, environment: string): Promise<void>;
  /** Writes small files on a volume of version 1, in one go, over what is there. @param files texts by path */
  writeFiles(volume: string, environment: string, files: Readonly<Record<string, string>>): Promise<void>;
  /** A file, or a folder with all that is in it. */
  removeFile(volume: string, environment: string, path: string): Promise<void>;
  /**
   * Deploys a Python file, for at most 30 minutes. The steps of an image build go to stderr as they come; an error ends
   * with the build's last lines.
   */
  deploy(appFile: string, options: DeployOptions): Promise<void>;
  /** Runs the local entrypoint of a Python file that builds an image; output and errors as with `deploy`. */
  build(buildFile: string, options: BuildOptions): Promise<void>;
  /** A file, or all that is below a folder, into a local folder that exists; for at most 10 minutes. */
  download(volume: string, environment: string, path: string, folder: string): Promise<void>;
  /** A local file, or all that is in a folder, to a path of the volume, over what is there; for at most 10 minutes. */
  upload(volume: string, environment: string, local: string, path: string): Promise<void>;
}
