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
