/**
 * Every argument list for mngr 0.3.0. Its command line changes often, so no other file builds one. The functions are
 * pure, so a test of their results covers everything that mngr receives.
 */

/** mngr's address of a local agent. It names the host, so that an unreachable provider can't affect the result. */
function localAddress(agent: string): string {
  return `${agent}@localhost.local`;
}

function addressOf(agent: string): string {
  return agent.includes("@") ? agent : localAddress(agent);
}

/** The options of one `mngr create`: an agent in its own worktree, on a new branch. */
export interface CreateOptions {
  readonly agent: string;
  /** `agent-` and 32 hex digits; mngr chooses one if undefined. */
  readonly id?: string | undefined;
  /** An agent type that mngr knows. */
  readonly type: string;
  /** What the new branch starts from, for instance `main` or `origin/main`. */
  readonly base: string;
  readonly branch: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of a dotenv file; see `envFileText`. */
  readonly envFile: string;
  /** Shell command that runs in the worktree, with the agent's environment, before the agent starts. */
  readonly prepare?: string | undefined;
  /** Absolute path of a file with the first message. */
  readonly messageFile?: string | undefined;
  readonly template?: string | undefined;
  readonly buildArgs: readonly string[];
  /** mngr's settings for this call alone, for instance `agent_types.claude.cli_args=["--verbose"]`. */
  readonly settings?: readonly string[] | undefined;
  /** For type `command` the command itself, one word per element; for other types their additional arguments. */
  readonly agentArgs: readonly string[];
}

/** Prints JSON lines: progress, then `created` or `error`. Returns once the agent is running. */
export function createArguments(options: CreateOptions): string[] {
  return [
    ...["create", options.agent, ...(options.id === undefined ? [] : ["--id", options.id]), "--type", options.type],
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
    ...Object.entries(options.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...["--branch", `${options.base}:${options.branch}`],
    ...["--env-file", options.envFile],
    ...(options.prepare === undefined ? [] : ["--extra-provision-command", options.prepare]),
    ...(options.template === undefined ? [] : ["--template", options.template]),
    ...(options.messageFile === undefined ? [] : ["--message-file", options.messageFile]),
    ...(options.settings ?? []).flatMap((setting) => ["--setting", setting]),
    ...options.buildArgs.flatMap((argument) => ["--build-arg", argument]),
    ...(options.agentArgs.length === 0 ? [] : ["--", ...options.agentArgs]),
  ];
}

/** The options of one `mngr create` for a persistent agent in its own folder. */
export interface ProvisionOptions {
  readonly agent: string;
  /** `agent-` and 32 hex digits. An existing agent keeps its id. */
  readonly id: string;
  /** Absolute path of the agent's folder. */
  readonly folder: string;
  /** The create template with the remaining options; undefined if there is none. */
  readonly template: string | undefined;
  /** Agent type; it overrides the template's. */
  readonly type: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of a dotenv file; see `envFileText`. */
  readonly envFile: string;
  /** Shell command that runs in the folder, with the agent's environment, before the agent starts. */
  readonly prepare: string;
  readonly buildArgs: readonly string[];
  readonly agentArgs: readonly string[];
}

/**
 * Creates the agent in its folder. An existing agent of that name is stopped, provisioned again from these options
 * alone, and restarted; its files and commits are kept. Prints JSON lines like `createArguments`.
 */
export function provisionArguments(options: ProvisionOptions): string[] {
  return [
    ...["create", localAddress(options.agent), "--id", options.id],
    // The folder belongs to the agent, so its uncommitted changes are kept.
    ...["--from", `:${options.folder}`, "--reuse", "--update", "--transfer", "none", "--no-ensure-clean"],
    ...(options.template === undefined ? [] : ["--template", options.template]),
    ...(options.type === undefined ? [] : ["--type", options.type]),
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
    ...Object.entries(options.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...["--env-file", options.envFile, "--extra-provision-command", options.prepare],
    ...options.buildArgs.flatMap((argument) => ["--build-arg", argument]),
    ...(options.agentArgs.length === 0 ? [] : ["--", ...options.agentArgs]),
  ];
}

/** The agent keeps its id. @param agent name, id, or address with its host */
export function renameArguments(agent: string, name: string): string[] {
  return ["rename", addressOf(agent), name, "--format", "json", "--headless"];
}

/** Prints one JSON object with all agents of these providers (`local` is this machine), whoever created them. */
export function listArguments(providers: readonly string[] = ["local"]): string[] {
  return ["list", ...providers.flatMap((provider) => ["--provider", provider]), "--format", "json", "--headless"];
}

/**
 * Runs one shell command for each of these agents, on its host and in its environment. Prints one JSON object. Starts
 * no agent and no host.
 *
 * @param addresses `ID@localhost.local`, `ID@HOST_ID.PROVIDER`; if one does not exist, the call fails for all
 * @param timeoutSeconds for each agent
 */
export function execArguments(addresses: readonly string[], command: string, timeoutSeconds: number): string[] {
  const options = ["--timeout", String(timeoutSeconds), "--no-start", "--on-error", "continue"];
  return ["exec", ...addresses, command, ...options, "--format", "json", "--headless"];
}

/** @param agent name, id, or address with its host */
export function stopArguments(agent: string): string[] {
  return ["stop", addressOf(agent), "--format", "json", "--headless"];
}

/** Succeeds for agents that are already gone. Branches are kept. @param agents names or ids */
export function destroyArguments(agents: readonly string[]): string[] {
  return ["destroy", ...agents.map(localAddress), "--force", "--format", "json", "--headless"];
}

/**
 * Prints the content of the agent's terminal, including scrollback.
 *
 * @param agent name, id, or address with its host
 * @param hasEnded mngr shows an ended agent only if it may start it. It does not restart an agent that ended by itself,
 * but it would restart one that was stopped
 */
export function captureArguments(agent: string, hasEnded = false): string[] {
  return ["capture", addressOf(agent), "--full", hasEnded ? "--start" : "--no-start", "--headless"];
}

/** Prints the conversation with an agent as text. @param agent name, id, or address with its host */
export function transcriptArguments(agent: string): string[] {
  return ["transcript", addressOf(agent), "--full", "--headless"];
}

export function versionArguments(): string[] {
  return ["--version"];
}
