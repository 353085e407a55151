/**
 * Every argument list that mngr is called with, for mngr 0.3.0: its command line changes often, so nobody else builds
 * one. Pure: what is checked here by reading is all that mngr will see.
 */

/** mngr's address of an agent on this machine; naming the host keeps an unreachable provider out of the answer. */
function localAddress(agent: string): string {
  return `${agent}@localhost.local`;
}

/** What one `mngr create` makes: an agent in a worktree of its own, on a new branch. */
export interface CreateOptions {
  readonly agent: string;
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
    ...["create", options.agent, "--type", options.type],
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

/** Prints one JSON object with all agents of this machine, whoever made them. */
export function listArguments(): string[] {
  return ["list", "--provider", "local", "--format", "json", "--headless"];
}

/** @param agent name or id */
export function stopArguments(agent: string): string[] {
  return ["stop", localAddress(agent), "--format", "json", "--headless"];
}

/** Succeeds for an agent that is already gone. Branches are kept. @param agents names or ids */
export function destroyArguments(agents: readonly string[]): string[] {
  return ["destroy", ...agents.map(localAddress), "--force", "--format", "json", "--headless"];
}

/** Prints what the agent's terminal holds, scrollback included. */
export function captureArguments(agent: string): string[] {
  return ["capture", localAddress(agent), "--full", "--no-start", "--headless"];
}

/** Prints the conversation with an agent, for people. */
export function transcriptArguments(agent: string): string[] {
  return ["transcript", localAddress(agent), "--full", "--headless"];
}

export function versionArguments(): string[] {
  return ["--version"];
}
