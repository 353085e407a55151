import { type ChildProcess, execFile } from "node:child_process";
import { existsSync } from "node:fs";
import * as z from "zod/mini";
import { gitReason } from "../git/reason.ts";
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
import { agentFolder, brokenAgentRemedy, brokenAgents, mngrHostDir } from "./host-dir.ts";
import { noProjectFolder, withProjectFolder } from "./project-folder.ts";
import { type DetachedOptions, type Finished, MngrError, runToEnd, startDetached } from "./run-mngr.ts";

export { MngrError, TooMuchOutput } from "./run-mngr.ts";

/** The one release whose command line `arguments.ts` speaks. */
export const mngrVersion = "0.3.0";

/** Some provider could not be reached; what the others know was printed. */
const exitProviderUnreachable = 6;
/** The agent that was named is not there. */
const exitTargetNotFound = 8;
/** A create runs what a repository's template says, which may install things. */
const createPatienceMs = 600_000;
/** How long a command for an agent may take, in seconds. */
const execSeconds = 30;

/** How the host of a remote agent is reached. */
const sshSchema = z.object({
  user: z.string(),
  host: z.string(),
  port: z.number(),
  key_path: z.string(),
  known_hosts_path: z.optional(z.nullable(z.string())),
});

export type SshAccess = z.infer<typeof sshSchema>;

/** An agent as `mngr list` shows it. */
const agentSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** RUNNING, WAITING, REPLACED, DONE, STOPPED, UNKNOWN, … */
  state: z.string(),
  labels: z._default(z.record(z.string(), z.string()), {}),
  plugin: z._default(z.record(z.string(), z.unknown()), {}),
  agent_activity_time: z.optional(z.nullable(z.string())),
  user_activity_time: z.optional(z.nullable(z.string())),
  host: z.optional(
    z.object({
      id: z.string(),
      name: z._default(z.string(), ""),
      provider_name: z.string(),
      /** RUNNING; STOPPED, PAUSED or CRASHED for one that has ended. */
      state: z.optional(z.nullable(z.string())),
      ssh: z.optional(z.nullable(sshSchema)),
      snapshots: z._default(z.array(z.object({ id: z.string(), created_at: z.string() })), []),
    }),
  ),
});

const listSchema = z.object({ agents: z.array(agentSchema), errors: z._default(z.array(z.unknown()), []) });

const execSchema = z.object({
  results: z.array(z.object({ agent: z.string(), stdout: z.string(), stderr: z.string(), success: z.boolean() })),
  failed_agents: z._default(z.array(z.object({ agent: z.string(), error: z.string() })), []),
});

export type Agent = z.infer<typeof agentSchema>;

/** What a command printed for one agent; `agent` is its name. */
export type ExecResult = z.infer<typeof execSchema>["results"][number];

export interface Executed {
  readonly results: readonly ExecResult[];
  /** Those whose host could not be reached, by name, with the reason. */
  readonly failed: readonly { readonly agent: string; readonly error: string }[];
}

export interface Listed {
  readonly agents: readonly Agent[];
  /** False when mngr could not look everywhere: an agent that is missing may be there all the same. */
  readonly isComplete: boolean;
}

export interface CreateRunOptions {
  /** What mngr takes for the project's settings: texts by the names of their files. */
  readonly settings: Readonly<Record<string, string>>;
  /** What it finds open as its file 3. */
  readonly file: number;
}

/** mngr on this machine. */
export interface Mngr {
  /** @throws MngrError when it is not there, or another version */
  checkVersion(): Promise<void>;
  /** All agents of these providers, of this machine when none is named. @throws MngrError when mngr could not tell */
  list(providers?: readonly string[]): Promise<Listed>;
  /**
   * Runs a shell command for each agent, 30 s at most; starts none of them.
   * @throws MngrError when mngr could not, or one of the addresses is nobody's
   */
  exec(addresses: readonly string[], command: string): Promise<Executed>;
  /**
   * Ends all processes of an agent; one that is gone is stopped too.
   * @throws MngrError, also for an agent whose files mngr can't read
   */
  stop(agent: string): Promise<void>;
  /** Whether mngr's folder of an agent of this machine is there, whatever mngr can make of it. @param agent its id */
  holds(agent: string): boolean;
  /**
   * Closes an agent's terminal without mngr, for when mngr can't: what runs in it is ended.
   * @param agent its name
   * @returns false when there is no such terminal
   */
  closeTerminal(agent: string): Promise<boolean>;
  /** What keeps mngr from working that it does not say itself, to be put behind its own words; empty: nothing known. */
  whyBroken(): string;
  /** Removes agents and their worktrees, not their branches; those that are gone are passed over. @throws MngrError */
  destroy(agents: readonly string[]): Promise<void>;
  /** What the agent's terminal holds. @param hasEnded whether its state is DONE @throws MngrError */
  capture(agent: string, hasEnded?: boolean): Promise<string>;
  /** The conversation so far; empty when there is none. */
  transcript(agent: string): Promise<string>;
  /**
   * Starts a `mngr create` that outlives this process. Its `cwd` is the repository.
   * @param options.project a folder of ours with what it takes for the repository's settings (see
   * `writeProjectSettings`)
   */
  startCreate(args: readonly string[], options: DetachedOptions & { readonly project: string }): Promise<ChildProcess>;
  /**
   * A `mngr create` to its end. It works in a folder of its own, and reads no settings of a repository.
   * @throws MngrError with mngr's own reason
   */
  create(args: readonly string[], options: CreateRunOptions): Promise<Created & { readonly kind: "created" }>;
  /** @throws MngrError */
  rename(agent: string, name: string): Promise<void>;
}

/**
 * @param env that it is given; see `mngrEnvironment`
 * @param signal ends whatever of mngr runs (a create is meant to outlive its caller), with all that it started
 */
export function mngrClient(env: Readonly<Record<string, string>>, signal?: AbortSignal): Mngr {
  const run = (args: readonly string[]) => runToEnd(args, env, { signal });
  const hostDir = mngrHostDir(env);
  const failure = (what: string, finished: Finished) => new MngrError(failureInWords(what, finished) + broken(hostDir));
  return {
    async checkVersion() {
      const { stdout, stderr, code } = await run(versionArguments());
      if (code !== 0) throw failure("mngr --version", { code, stdout, stderr });
      const found = stdout.trim().replace(/^mngr /, "");
      if (found === mngrVersion) return;
      throw new MngrError(`mngr ${found} is installed, but ${mngrVersion} is needed; repair it with: npm run setup`);
    },
    async list(providers) {
      const finished = await run(listArguments(providers));
      if (finished.code !== 0 && finished.code !== exitProviderUnreachable) throw failure("mngr list", finished);
      const parsed = listSchema.safeParse(parseJson(finished.stdout));
      if (!parsed.success)
        throw new MngrError(`mngr list printed unexpected output: ${parsed.error.issues[0]?.message}`);
      const { agents, errors } = parsed.data;
      // mngr remembers those whose host was destroyed for a week.
      const there = agents.filter(({ host }) => host?.state !== "DESTROYED");
      return { agents: there, isComplete: errors.length === 0 };
    },
    async exec(addresses, command) {
      const finished = await run(execArguments(addresses, command, execSeconds));
      // It prints when a command failed for some of them, too.
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
    whyBroken: () => broken(hostDir),
    startCreate(args, { project, ...options }) {
      // The person's own choice of a folder wins.
      const isChosen = ![undefined, noProjectFolder].includes(env["MNGR_PROJECT_CONFIG_DIR"]);
      return startDetached(args, isChosen ? env : { ...env, MNGR_PROJECT_CONFIG_DIR: project }, options);
    },
    async create(args, { settings, file }) {
      const finished = await withProjectFolder(settings, (cwd) => {
        const inFolder = { ...env, MNGR_PROJECT_CONFIG_DIR: cwd };
        return runToEnd(args, inFolder, { signal, cwd, file, timeoutMs: createPatienceMs });
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

/** What a `mngr create --format jsonl` came to. */
export type Created =
  | { readonly kind: "created"; readonly agentId: string; readonly hostId: string | undefined }
  | { readonly kind: "error"; readonly errorClass: string; readonly message: string };

const createEvent = z.union([
  z.object({ event: z.literal("created"), agent_id: z.string(), host_id: z.optional(z.string()) }),
  z.object({ event: z.literal("error"), error_class: z.string(), message: z.string() }),
]);

/** @param stdout what it printed so far @returns undefined while it has not said */
export function createdFrom(stdout: string): Created | undefined {
  for (const line of stdout.split("\n").reverse()) {
    const parsed = createEvent.safeParse(parseJson(line));
    if (!parsed.success) continue;
    const event = parsed.data;
    if (event.event === "created") return { kind: "created", agentId: event.agent_id, hostId: event.host_id };
    return { kind: "error", errorClass: event.error_class, message: event.message };
  }
  return undefined;
}

/** The line of an output that says what went wrong: mngr's `Error: …`, else git's `fatal: …`, else the last in words. */
export function errorLine(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => /\w/.test(line));
  const at = lines.findIndex((line) => /^Error: /.test(line));
  return reasonOf(at < 0 ? (gitReason(lines.join("\n")) ?? "") : lines.slice(at).join("\n"));
}

/** The reason in an error of several lines: the first, but where that only repeats git's progress, git's own error. */
export function reasonOf(message: string): string {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  const first = lines[0]?.replace(/^Error: /, "").trim() || "no message";
  const [, before] = /^(.*?)Preparing worktree \(/.exec(first) ?? [];
  if (before === undefined || lines.length === 1) return first;
  // A hook that fails has the last word.
  return `${before}${gitReason(lines.slice(1).join("\n"))}`;
}

function failureInWords(what: string, { code, stderr }: Finished): string {
  return `${what} failed (exit status ${code}): ${errorLine(stderr)}`;
}

/** What mngr does not say when the files of any agent, of whoever, keep it from working; empty when none do. */
function broken(hostDir: string): string {
  const [first] = brokenAgents(hostDir);
  if (first === undefined) return "";
  return `; ${first.file} is not JSON, and mngr fails because of it: ${brokenAgentRemedy(first, hostDir)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
