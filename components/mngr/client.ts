import { type ChildProcess, execFile } from "node:child_process";
import { existsSync } from "node:fs";
import {
  captureArguments,
  destroyArguments,
  execArguments,
  listArguments,
  renameArguments,
  stopArguments,
  transcriptArguments,
  versionArguments,
} from "./arguments.ts";
import { type ApiFailure, apiFailureOf } from "./claude-error.ts";
import { agentFolder, brokenAgentRemedy, brokenAgents, mngrHostDir } from "./host-dir.ts";
import { installedVersion } from "./installed-version.ts";
import {
  type Agent,
  type Created,
  createdFrom,
  type ExecResult,
  errorLine,
  execSchema,
  listSchema,
  parseJson,
  reasonOf,
} from "./output.ts";
import { noProjectFolder, withProjectFolder } from "./project-folder.ts";
import { type DetachedOptions, type Finished, MngrError, runToEnd, startDetached } from "./run-mngr.ts";

export type { Agent, Created, ExecResult, SshAccess } from "./output.ts";
export { MngrError, TooMuchOutput } from "./run-mngr.ts";

/** The only release that `arguments.ts` supports. */
export const mngrVersion = "0.3.0";

/** A provider could not be reached; the output covers the others. */
const exitProviderUnreachable = 6;
/** The named agent does not exist. */
const exitTargetNotFound = 8;
/** A create runs the commands of a repository's template, which may install packages. */
const createTimeoutMs = 600_000;
/** The timeout of a command for an agent, in seconds. */
const execSeconds = 30;

export interface Executed {
  readonly results: readonly ExecResult[];
  /** The agents whose host could not be reached, by name, with the reason. */
  readonly failed: readonly { readonly agent: string; readonly error: string }[];
}

export interface Listed {
  readonly agents: readonly Agent[];
  /** False if mngr could not ask every provider: a missing agent may still exist. */
  readonly isComplete: boolean;
}

export interface CreateRunOptions {
  /** The settings that mngr reads as the project's: texts by file name. */
  readonly settings: Readonly<Record<string, string>>;
  /** The child's file descriptor 3. */
  readonly file: number;
}

/** mngr on this machine. */
export interface Mngr {
  /** @throws MngrError if mngr is missing or has another version */
  checkVersion(): Promise<void>;
  /** All agents of these providers; of this machine by default. @throws MngrError if mngr could not list them */
  list(providers?: readonly string[]): Promise<Listed>;
  /**
   * Runs a shell command for each agent, for at most 30 s. Starts no agent.
   * @throws MngrError if mngr failed, or one of the addresses does not exist
   */
  exec(addresses: readonly string[], command: string): Promise<Executed>;
  /**
   * Ends all processes of an agent. An agent that is gone counts as stopped.
   * @throws MngrError, also for an agent whose files mngr can't read
   */
  stop(agent: string): Promise<void>;
  /** Whether mngr's folder of a local agent exists, even if mngr can't read it. @param agent its id */
  holds(agent: string): boolean;
  /**
   * Closes an agent's terminal without mngr, for when mngr fails. Ends the processes in it.
   * @param agent its name
   * @returns false if there is no such terminal
   */
  closeTerminal(agent: string): Promise<boolean>;
  /** The reason why mngr fails, if mngr's own message lacks it, as a suffix for that message; empty if unknown. */
  whyBroken(): string;
  /** Removes agents and their worktrees, but not their branches. Skips agents that are gone. @throws MngrError */
  destroy(agents: readonly string[]): Promise<void>;
  /** The content of the agent's terminal. @param hasEnded whether its state is DONE @throws MngrError */
  capture(agent: string, hasEnded?: boolean): Promise<string>;
  /** The conversation so far; empty if there is none. */
  transcript(agent: string): Promise<string>;
  /** The API error with which the conversation of a local Claude Code agent ended. @param agent its id */
  apiFailure(agent: string): ApiFailure | undefined;
  /**
   * Starts a `mngr create` that outlives this process. Its `cwd` is the repository.
   * @param options.project a settings folder that mngr reads in place of the repository's (see `writeProjectSettings`)
   */
  startCreate(args: readonly string[], options: DetachedOptions & { readonly project: string }): Promise<ChildProcess>;
  /**
   * Runs a `mngr create` and waits for it. It has its own working directory, and reads no repository's settings.
   * @throws MngrError with mngr's own reason
   */
  create(args: readonly string[], options: CreateRunOptions): Promise<Created & { readonly kind: "created" }>;
  /** @throws MngrError */
  rename(agent: string, name: string): Promise<void>;
}

/**
 * @param env mngr's environment; see `mngrEnvironment`
 * @param signal kills every running mngr command (a create would outlive its caller) and all that it started
 */
export function mngrClient(env: Readonly<Record<string, string>>, signal?: AbortSignal): Mngr {
  const run = (args: readonly string[]) => runToEnd(args, env, { signal });
  const hostDir = mngrHostDir(env);
  const failure = (what: string, finished: Finished) => new MngrError(failureInWords(what, finished) + broken(hostDir));
  const printedVersion = async () => {
    const finished = await run(versionArguments());
    if (finished.code !== 0) throw failure("mngr --version", finished);
    return finished.stdout.trim().replace(/^mngr /, "");
  };
  return {
    async checkVersion() {
      const found = installedVersion(env) ?? (await printedVersion());
      if (found === mngrVersion) return;
      throw new MngrError(`mngr ${found} is installed, but ${mngrVersion} is required; install it with: npm run setup`);
    },
    async list(providers) {
      const finished = await run(listArguments(providers));
      if (finished.code !== 0 && finished.code !== exitProviderUnreachable) throw failure("mngr list", finished);
      const parsed = listSchema.safeParse(parseJson(finished.stdout));
      if (!parsed.success)
        throw new MngrError(`mngr list printed unexpected output: ${parsed.error.issues[0]?.message}`);
      const { agents, errors } = parsed.data;
      // mngr remembers agents whose host was destroyed for a week.
      const there = agents.filter(({ host }) => host?.state !== "DESTROYED");
      return { agents: there, isComplete: errors.length === 0 };
    },
    async exec(addresses, command) {
      const finished = await run(execArguments(addresses, command, execSeconds));
      // mngr prints results even if the command failed for some agents.
      const parsed = execSchema.safeParse(parseJson(finished.stdout));
      if (!parsed.success) throw failure("mngr exec", finished);
      return { results: parsed.data.results, failed: parsed.data.failed_agents };
    },
    async stop(agent) {
      const finished = await run(stopArguments(agent));
      const isGone = finished.code === exitTargetNotFound || /Agent not found/.test(finished.stderr);
      const isUnreadable = brokenAgents(hostDir).some(({ folder }) => folder === agentFolder(hostDir, agent));
      if (isUnreadable || (finished.code !== 0 && !isGone)) throw failure(`mngr stop ${agent}`, finished);
    },
    holds: (agent) => existsSync(agentFolder(hostDir, agent)),
    closeTerminal(agent) {
      const session = `=${env["MNGR_PREFIX"] || "mngr-"}${agent}`;
      return new Promise((resolve) => {
        execFile("tmux", ["kill-session", "-t", session], { env, timeout: 10_000 }, (error) => resolve(error === null));
      });
    },
    async destroy(agents) {
      if (agents.length === 0) return;
      const finished = await run(destroyArguments(agents));
      if (finished.code !== 0) throw failure(`mngr destroy ${agents.join(" ")}`, finished);
    },
    async capture(agent, hasEnded) {
      const finished = await run(captureArguments(agent, hasEnded));
      if (finished.code !== 0) throw failure(`mngr capture ${agent}`, finished);
      return finished.stdout;
    },
    async transcript(agent) {
      const finished = await run(transcriptArguments(agent));
      return finished.code === 0 ? finished.stdout : "";
    },
    apiFailure: (agent) => apiFailureOf(hostDir, agent),
    whyBroken: () => broken(hostDir),
    startCreate(args, { project, ...options }) {
      // A folder that the user chose takes precedence.
      const isChosen = ![undefined, noProjectFolder].includes(env["MNGR_PROJECT_CONFIG_DIR"]);
      return startDetached(args, isChosen ? env : { ...env, MNGR_PROJECT_CONFIG_DIR: project }, options);
    },
    async create(args, { settings, file }) {
      const finished = await withProjectFolder(settings, (cwd) => {
        const inFolder = { ...env, MNGR_PROJECT_CONFIG_DIR: cwd };
        return runToEnd(args, inFolder, { signal, cwd, file, timeoutMs: createTimeoutMs });
      });
      const created = createdFrom(finished.stdout);
      if (finished.code === 0 && created?.kind === "created") return created;
      const why = created?.kind === "error" ? created.message : errorLine(finished.stderr);
      throw new MngrError(`mngr create failed: ${reasonOf(why)}${broken(hostDir)}`);
    },
    async rename(agent, name) {
      const finished = await run(renameArguments(agent, name));
      if (finished.code !== 0) throw failure(`mngr rename ${agent} ${name}`, finished);
    },
  };
}

function failureInWords(what: string, { code, stderr }: Finished): string {
  return `${what} failed (exit status ${code}): ${errorLine(stderr)}`;
}

/** The reason that mngr's message lacks if an agent's files make mngr fail; empty if none do. */
function broken(hostDir: string): string {
  const [first] = brokenAgents(hostDir);
  if (first === undefined) return "";
  return `; ${first.file} is not JSON, and mngr fails because of it: ${brokenAgentRemedy(first, hostDir)}`;
}
