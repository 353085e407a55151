/**
 * The argument lists for persistent agents that each have their own machine: a Docker container or a Modal sandbox. For
 * mngr 0.3.0, like `arguments.ts`.
 */

/** mngr's name for the provider of the machine. */
export type MachineProvider = "docker" | "modal";

export interface MachineAgentOptions {
  readonly provider: MachineProvider;
  readonly agent: string;
  /** `agent-` and 32 hex digits. */
  readonly id: string;
  /** The host's name. mngr remembers the names of destroyed hosts for a week. */
  readonly host: string;
  /** Absolute path of a local git repository. */
  readonly source: string;
  /** The create template with the remaining options; undefined if there is none. */
  readonly template: string | undefined;
  /** Agent type; it overrides the template's. */
  readonly type: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of a dotenv file; see `envFileText`. */
  readonly envFile: string;
  /** Shell command that runs in the agent's folder, with the agent's environment, before the agent starts. */
  readonly prepare: string;
  readonly agentArgs: readonly string[];
}

export interface MachineHostOptions {
  /** The source's branch that is checked out in the agent's folder. */
  readonly branch: string;
  /** Absolute path of the agent's folder on the machine. */
  readonly folder: string;
  readonly hostLabels: Readonly<Record<string, string>>;
  /** How the provider builds the host's image, and on Modal also how it runs. */
  readonly buildArgs: readonly string[];
  /** How the provider starts the host. */
  readonly startArgs: readonly string[];
}

/** Creates the host, and its agent in a clone of the source. Prints JSON lines: progress, then `created` or `error`. */
export function createOnMachineArguments(options: MachineAgentOptions & MachineHostOptions): string[] {
  return [
    ...["create", `${addressOf(options)}:${options.folder}`, "--new-host", "--id", options.id],
    ...["--branch", options.branch, "--idle-mode", "disabled"],
    ...Object.entries(options.hostLabels).flatMap(([key, value]) => ["--host-label", `${key}=${value}`]),
    ...options.buildArgs.flatMap((each) => ["--build-arg", each]),
    ...options.startArgs.flatMap((each) => ["--start-arg", each]),
    ...restOf(options),
  ];
}

/** Stops the agent on the host, provisions it again from these options alone, and starts it. Its folder is kept. */
export function provisionOnMachineArguments(options: MachineAgentOptions): string[] {
  return [
    ...["create", addressOf(options), "--id", options.id],
    ...["--reuse", "--update", "--transfer", "none", "--no-ensure-clean"],
    ...restOf(options),
  ];
}

function addressOf({ agent, host, provider }: MachineAgentOptions): string {
  return `${agent}@${host}.${provider}`;
}

function restOf(options: MachineAgentOptions): string[] {
  return [
    ...["--from", `:${options.source}`],
    ...(options.template === undefined ? [] : ["--template", options.template]),
    ...(options.type === undefined ? [] : ["--type", options.type]),
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
    ...Object.entries(options.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...["--env-file", options.envFile, "--extra-provision-command", options.prepare],
    ...(options.agentArgs.length === 0 ? [] : ["--", ...options.agentArgs]),
  ];
}

/**
 * Starts an agent. A host that has ended is started first, from its last snapshot if nothing else is left of it. A
 * running agent is left alone.
 * @param address `ID@HOST_ID.PROVIDER`
 */
export function startArguments(address: string, { isRestarted }: { isRestarted: boolean }): string[] {
  return ["start", address, ...(isRestarted ? ["--restart"] : []), "--no-resume", "--format", "json", "--headless"];
}

/** Prints one JSON object with the snapshot's id, which is the id of the provider's image. @param address as above */
export function hostSnapshotArguments(address: string): string[] {
  return ["snapshot", "create", address, "--format", "json", "--headless"];
}

/** @param address as above */
export function forgetSnapshotArguments(address: string, snapshot: string): string[] {
  return ["snapshot", "destroy", address, "--snapshot", snapshot, "--force", "--format", "json", "--headless"];
}

/** Destroys a host and everything on it except its volumes. Its snapshots and all other hosts are kept. */
export function destroyHostArguments(provider: MachineProvider, host: string): string[] {
  return ["destroy", `@${host}.${provider}`, "--force", "--no-gc", "--format", "json", "--headless"];
}

/**
 * The argument lists for a placeholder on Modal: a machine that exists only to be snapshotted. For mngr 0.3.0, like
 * `arguments.ts`.
 */

export interface PlaceholderOptions {
  /** The name of the agent and of its host. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** An empty local git repository. Its path is also that of the agent's work dir on the machine. */
  readonly source: string;
  /** Absolute path of a dotenv file, for everything that runs on the machine. */
  readonly hostEnvFile: string | undefined;
  /** The machine ends after this time, whatever happens to its creator. */
  readonly timeoutSeconds: number;
  /** Shell command that runs on the machine before everything else. */
  readonly prepare: string;
  readonly template: string | undefined;
  readonly buildArgs: readonly string[];
}

/** Prints JSON lines: progress, then `created` or `error`. */
export function placeholderArguments(options: PlaceholderOptions): string[] {
  const labels = Object.entries(options.labels).map(([key, value]) => `${key}=${value}`);
  return [
    ...["create", `${options.name}@${options.name}.modal`, "--new-host", "--type", "command"],
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
    ...labels.flatMap((label) => ["--label", label, "--host-label", label]),
    ...["--transfer", "none", "--from", `:${options.source}`],
    ...(options.hostEnvFile === undefined ? [] : ["--host-env-file", options.hostEnvFile]),
    ...["--idle-mode", "disabled", "--post-host-create-command", options.prepare],
    // mngr's files, including its environment, are on a volume, so no snapshot contains them.
    ...["--setting", "providers.modal.is_host_volume_created=true", "--setting", "providers.modal.host_dir=/mngr"],
    ...["--setting", "providers.modal.is_snapshotted_after_create=false"],
    ...(options.template === undefined ? [] : ["--template", options.template]),
    ...options.buildArgs.flatMap((argument) => ["--build-arg", argument]),
    ...["--build-arg", `timeout=${options.timeoutSeconds}`, "--", "true"],
  ];
}

/** Prints one JSON object with the snapshot's id, which is the id of a Modal image. */
export function snapshotArguments(name: string): string[] {
  return ["snapshot", "create", `${name}@${name}.modal`, "--format", "json", "--headless"];
}

/** Succeeds if it is already gone. Its snapshots are kept. */
export function destroyPlaceholderArguments(name: string): string[] {
  return ["destroy", `@${name}.modal`, "--force", "--no-gc", "--format", "json", "--headless"];
}
