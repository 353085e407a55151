/**
 * Every argument list that mngr is called with, for mngr 0.3.0: its command line changes often, so nobody else builds
 * one. Pure: what is checked here by reading is all that mngr will see.
 */

/** mngr's address of an agent on this machine; naming the host keeps an unreachable provider out of the answer. */
export function localAddress(agent: string): string {
  return `${agent}@localhost.local`;
}

function addressOf(agent: string): string {
  return agent.includes("@") ? agent : localAddress(agent);
}

/** What one `mngr create` makes: an agent in a worktree of its own, on a new branch. */
export interface CreateOptions {
  readonly agent: string;
  /** `agent-` and 32 hex digits; undefined: mngr chooses one. */
  readonly id?: string | undefined;
  /** Agent type that mngr knows. */
  readonly type: string;
  /** What the new branch starts from, for instance `main` or `origin/main`. */
  readonly base: string;
  readonly branch: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of a dotenv file; see `envFileText`. */
  readonly envFile: string;
  /** Absolute path of a file that holds the first message. */
  readonly messageFile?: string | undefined;
  readonly template?: string | undefined;
  readonly buildArgs: readonly string[];
  /** mngr's settings for this invocation alone, for instance `agent_types.claude.cli_args=["--verbose"]`. */
  readonly settings?: readonly string[] | undefined;
  /** For type `command` the command itself, one word per element; for others what is added to theirs. */
  readonly agentArgs: readonly string[];
}

/** Prints JSON lines: progress, then `created` or `error`. Returns once the agent runs. */
export function createArguments(options: CreateOptions): string[] {
  return [
    ...["create", options.agent, ...(options.id === undefined ? [] : ["--id", options.id]), "--type", options.type],
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
    ...Object.entries(options.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...["--branch", `${options.base}:${options.branch}`],
    ...["--env-file", options.envFile],
    ...(options.template === undefined ? [] : ["--template", options.template]),
    ...(options.messageFile === undefined ? [] : ["--message-file", options.messageFile]),
    ...(options.settings ?? []).flatMap((setting) => ["--setting", setting]),
    ...options.buildArgs.flatMap((argument) => ["--build-arg", argument]),
    ...(options.agentArgs.length === 0 ? [] : ["--", ...options.agentArgs]),
  ];
}

/** What one `mngr create` makes of a persistent agent that works in a folder of its own. */
export interface ProvisionOptions {
  readonly agent: string;
  /** `agent-` and 32 hex digits; an agent that is there keeps the id that it has. */
  readonly id: string;
  /** Absolute path of the folder that it works in. */
  readonly folder: string;
  /** The create template that says the rest; undefined: there is none. */
  readonly template: string | undefined;
  /** Agent type; it wins over the template's. */
  readonly type: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of a dotenv file; see `envFileText`. */
  readonly envFile: string;
  /** Shell command that is run in the folder before the agent starts. It sees the agent's environment. */
  readonly prepare: string;
  readonly buildArgs: readonly string[];
  readonly agentArgs: readonly string[];
}

/**
 * Makes the agent in its folder; one of that name is stopped, provisioned anew from nothing but this, and
 * started again, its files and commits untouched. Prints JSON lines as `createArguments` does.
 */
export function provisionArguments(options: ProvisionOptions): string[] {
  return [
    ...["create", localAddress(options.agent), "--id", options.id],
    // The folder is the agent's own: whatever lies there uncommitted stays as it is.
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

/** Prints one JSON object with all agents of these providers (this machine's: `local`), whoever made them. */
export function listArguments(providers: readonly string[] = ["local"]): string[] {
  return ["list", ...providers.flatMap((provider) => ["--provider", provider]), "--format", "json", "--headless"];
}

/**
 * Runs one shell command for each of these agents, on its host and in its environment; prints one JSON object. No agent
 * and no host is started for it.
 *
 * @param addresses `ID@localhost.local`, `ID@HOST_ID.PROVIDER`; one that is not there fails them all
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

/** Succeeds for an agent that is already gone. Branches are kept. @param agents names or ids */
export function destroyArguments(agents: readonly string[]): string[] {
  return ["destroy", ...agents.map(localAddress), "--force", "--format", "json", "--headless"];
}

/**
 * Prints what the agent's terminal holds, scrollback included.
 *
 * @param agent name, id, or address with its host
 * @param hasEnded mngr shows an agent that ended only when it may start it, which leaves that one as it is; one that
 * was stopped it would start
 */
export function captureArguments(agent: string, hasEnded = false): string[] {
  return ["capture", addressOf(agent), "--full", hasEnded ? "--start" : "--no-start", "--headless"];
}

/** Prints the conversation with an agent, for people. @param agent name, id, or address with its host */
export function transcriptArguments(agent: string): string[] {
  return ["transcript", addressOf(agent), "--full", "--headless"];
}

export function versionArguments(): string[] {
  return ["--version"];
}
