/**
 * The argument lists for persistent agents on a machine of their own each: a Docker container, or a sandbox on Modal. For
 * mngr 0.3.0, as `arguments.ts`.
 */

/** mngr's name of what makes the machine. */
export type MachineProvider = "docker" | "modal";

export interface MachineAgentOptions {
  readonly provider: MachineProvider;
  readonly agent: string;
  /** `agent-` and 32 hex digits. */
  readonly id: string;
  /** The host's name; mngr keeps those of destroyed hosts for a week. */
  readonly host: string;
  /** Absolute path of a git repository here. */
  readonly source: string;
  /** The create template that says the rest; undefined: there is none. */
  readonly template: string | undefined;
  /** Agent type; it wins over the template's. */
  readonly type: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of a dotenv file; see `envFileText`. */
  readonly envFile: string;
  /** Shell command that is run in the agent's folder before it starts. It sees the agent's environment. */
  readonly prepare: string;
  readonly agentArgs: readonly string[];
}

export interface MachineHostOptions {
  /** Of the source; the agent's folder has it checked out. */
  readonly branch: string;
  /** Absolute path of the agent's folder, there. */
  readonly folder: string;
  readonly hostLabels: Readonly<Record<string, string>>;
  /** What the provider makes the host's image of; with Modal also how it runs. */
  readonly buildArgs: readonly string[];
  /** How the provider starts the host. */
  readonly startArgs: readonly string[];
}

/** Makes the host, and on it the agent in a clone of the source. Prints JSON lines: progress, then `created` or `error`. */
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

/** Stops the agent that is on the host, provisions it anew from nothing but this, and starts it; its folder stays as it is. */
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
 * Starts an agent, and its host when that has ended, from the last snapshot when there is nothing else of it; one that
 * runs is left alone.
 * @param address `ID@HOST_ID.PROVIDER`
 */
export function startArguments(address: string, { isRestarted }: { isRestarted: boolean }): string[] {
  return ["start", address, ...(isRestarted ? ["--restart"] : []), "--no-resume", "--format", "json", "--headless"];
}

/** Prints one JSON object that holds the snapshot's id, which is that of the provider's image. @param address as above */
export function hostSnapshotArguments(address: string): string[] {
  return ["snapshot", "create", address, "--format", "json", "--headless"];
}

/** @param address as above */
export function forgetSnapshotArguments(address: string, snapshot: string): string[] {
  return ["snapshot", "destroy", address, "--snapshot", snapshot, "--force", "--format", "json", "--headless"];
}

/** Destroys a host with what is on it, but for its volumes; its snapshots stay, and other hosts are left alone. */
export function destroyHostArguments(provider: MachineProvider, host: string): string[] {
  return ["destroy", `@${host}.${provider}`, "--force", "--no-gc", "--format", "json", "--headless"];
}

/** The argument lists for a placeholder on Modal: a machine that is made to be snapshotted. For mngr 0.3.0, as `arguments.ts`. */

export interface PlaceholderOptions {
  /** Of the agent and of its host. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** An empty git repository here; its path is that of the agent's work dir, there. */
  readonly source: string;
  /** Absolute path of a dotenv file, for whatever runs in the machine. */
  readonly hostEnvFile: string | undefined;
  /** Its life ends after that, whatever happens to who made it. */
  readonly timeoutSeconds: number;
  /** Shell command that is run in it before anything else. */
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
    // mngr's files, the environment among them, are on a volume: so they are in no snapshot.
    ...["--setting", "providers.modal.is_host_volume_created=true", "--setting", "providers.modal.host_dir=/mngr"],
    ...["--setting", "providers.modal.is_snapshotted_after_create=false"],
    ...(options.template === undefined ? [] : ["--template", options.template]),
    ...options.buildArgs.flatMap((argument) => ["--build-arg", argument]),
    ...["--build-arg", `timeout=${options.timeoutSeconds}`, "--", "true"],
  ];
}

/** Prints one JSON object that holds the snapshot's id, which is that of a Modal image. */
export function snapshotArguments(name: string): string[] {
  return ["snapshot", "create", `${name}@${name}.modal`, "--format", "json", "--headless"];
}

/** Succeeds for one that is already gone; its snapshots stay. */
export function destroyPlaceholderArguments(name: string): string[] {
  return ["destroy", `@${name}.modal`, "--force", "--no-gc", "--format", "json", "--headless"];
}
