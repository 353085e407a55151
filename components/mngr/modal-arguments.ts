/** The argument lists for persistent agents on Modal, each on a host of its own. For mngr 0.3.0, as `arguments.ts`. */

export interface ModalAgentOptions {
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

export interface ModalHostOptions {
  /** Of the source; the agent's folder has it checked out. */
  readonly branch: string;
  /** Absolute path of the agent's folder, there. */
  readonly folder: string;
  /** By where they are mounted: the names of the volumes. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly hostLabels: Readonly<Record<string, string>>;
  /** For how long Modal is asked to let it live. */
  readonly lifeSeconds: number;
  readonly buildArgs: readonly string[];
}

/** Makes the host, and on it the agent in a clone of the source. Prints JSON lines: progress, then `created` or `error`. */
export function createOnModalArguments(options: ModalAgentOptions & ModalHostOptions): string[] {
  const volumes = Object.entries(options.volumes).map(([path, name]) => `volume=${name}:${path}`);
  return [
    ...["create", `${options.agent}@${options.host}.modal:${options.folder}`, "--new-host", "--id", options.id],
    ...["--branch", options.branch, "--idle-mode", "disabled"],
    ...Object.entries(options.hostLabels).flatMap(([key, value]) => ["--host-label", `${key}=${value}`]),
    ...[`timeout=${options.lifeSeconds}`, ...volumes, ...options.buildArgs].flatMap((each) => ["--build-arg", each]),
    ...restOf(options),
  ];
}

/** Stops the agent that is on the host, provisions it anew from nothing but this, and starts it; its folder stays as it is. */
export function provisionOnModalArguments(options: ModalAgentOptions): string[] {
  return [
    ...["create", `${options.agent}@${options.host}.modal`, "--id", options.id],
    ...["--reuse", "--update", "--transfer", "none", "--no-ensure-clean"],
    ...restOf(options),
  ];
}

function restOf(options: ModalAgentOptions): string[] {
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
 * Starts an agent, and its host from the last snapshot when that has ended; one that runs is left alone.
 * @param address `ID@HOST_ID.modal`
 */
export function startArguments(address: string, { isRestarted }: { isRestarted: boolean }): string[] {
  return ["start", address, ...(isRestarted ? ["--restart"] : []), "--no-resume", "--format", "json", "--headless"];
}

/** Prints one JSON object that holds the snapshot's id, which is that of a Modal image. @param address as above */
export function hostSnapshotArguments(address: string): string[] {
  return ["snapshot", "create", address, "--format", "json", "--headless"];
}

/** @param address as above */
export function forgetSnapshotArguments(address: string, snapshot: string): string[] {
  return ["snapshot", "destroy", address, "--snapshot", snapshot, "--force", "--format", "json", "--headless"];
}

/** Destroys a host with what is on it, but for its volumes; its snapshots stay, and other hosts are left alone. */
export function destroyHostArguments(host: string): string[] {
  return ["destroy", `@${host}.modal`, "--force", "--no-gc", "--format", "json", "--headless"];
}
