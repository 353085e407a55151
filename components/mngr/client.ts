import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import * as z from "zod/mini";
import {
  captureArguments,
  destroyArguments,
  listArguments,
  stopArguments,
  transcriptArguments,
  versionArguments,
} from "./arguments.ts";

/** The one release whose command line `arguments.ts` speaks. */
export const mngrVersion = "0.3.0";

/** Some provider could not be reached; what the others know was printed. */
const exitProviderUnreachable = 6;
/** The agent that was named is not there. */
const exitTargetNotFound = 8;
/** A command that takes longer than this (ms) is ended: mngr waits for locks and for terminals. */
const patienceMs = 120_000;
/** Every mngr command costs two to four seconds of processor time, so a crowd of them is let in by and by. */
const mostAtOnce = Math.max(4, 2 * availableParallelism());

/** mngr could not do what it was asked. The message is mngr's own first line. */
export class MngrError extends Error {}

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
});

const listSchema = z.object({ agents: z.array(agentSchema), errors: z._default(z.array(z.unknown()), []) });

export type Agent = z.infer<typeof agentSchema>;

export interface Listed {
  readonly agents: readonly Agent[];
  /** False when mngr could not look everywhere: an agent that is missing may be there all the same. */
  readonly isComplete: boolean;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** mngr on this machine, with the environment that it is given (see `mngrEnvironment`). */
export interface Mngr {
  /** @throws MngrError when it is not there, or another version */
  checkVersion(): Promise<void>;
  /** All agents of this machine. @throws MngrError when mngr could not tell */
  list(): Promise<Listed>;
  /** Ends all processes of an agent; one that is gone is stopped too. @throws MngrError */
  stop(agent: string): Promise<void>;
  /** Removes agents and their worktrees, not their branches; those that are gone are passed over. @throws MngrError */
  destroy(agents: readonly string[]): Promise<void>;
  /** What the agent's terminal holds. @throws MngrError */
  capture(agent: string): Promise<string>;
  /** The conversation so far; empty when there is none. */
  transcript(agent: string): Promise<string>;
  /**
   * Starts a `mngr create` that outlives this process: its output goes to files.
   * @param cwd the repository
   */
  startCreate(args: readonly string[], output: { cwd: string; stdout: string; stderr: string }): Promise<ChildProcess>;
}

export function mngrClient(env: Readonly<Record<string, string>>): Mngr {
  const run = (args: readonly string[]) => withSlot(() => runToEnd(args, env));
  return {
    async checkVersion() {
      const { stdout, stderr, code } = await run(versionArguments());
      if (code !== 0) throw failure("mngr --version", { code, stdout, stderr });
      const found = stdout.trim().replace(/^mngr /, "");
      if (found === mngrVersion) return;
      throw new MngrError(`mngr ${found} is installed, but ${mngrVersion} is needed; mend it with: npm run setup`);
    },
    async list() {
      const finished = await run(listArguments());
      if (finished.code !== 0 && finished.code !== exitProviderUnreachable) throw failure("mngr list", finished);
      const parsed = listSchema.safeParse(parseJson(finished.stdout));
      if (!parsed.success) throw new MngrError(`mngr list printed something else: ${parsed.error.issues[0]?.message}`);
      return { agents: parsed.data.agents, isComplete: parsed.data.errors.length === 0 };
    },
    async stop(agent) {
      const finished = await run(stopArguments(agent));
      const isGone = finished.code === exitTargetNotFound || /Agent not found/.test(finished.stderr);
      if (finished.code !== 0 && !isGone) throw failure(`mngr stop ${agent}`, finished);
    },
    async destroy(agents) {
      if (agents.length === 0) return;
      const finished = await run(destroyArguments(agents));
      if (finished.code !== 0) throw failure(`mngr destroy ${agents.join(" ")}`, finished);
    },
    async capture(agent) {
      const finished = await run(captureArguments(agent));
      if (finished.code !== 0) throw failure(`mngr capture ${agent}`, finished);
      return finished.stdout;
    },
    async transcript(agent) {
      const finished = await run(transcriptArguments(agent));
      return finished.code === 0 ? finished.stdout : "";
    },
    startCreate: (args, output) => startDetached(args, env, output),
  };
}

/** What a `mngr create --format jsonl` came to. */
export type Created =
  | { readonly kind: "created"; readonly agentId: string }
  | { readonly kind: "error"; readonly errorClass: string; readonly message: string };

const createEvent = z.union([
  z.object({ event: z.literal("created"), agent_id: z.string() }),
  z.object({ event: z.literal("error"), error_class: z.string(), message: z.string() }),
]);

/** @param stdout what it printed so far @returns undefined while it has not said */
export function createdFrom(stdout: string): Created | undefined {
  for (const line of stdout.split("\n").reverse()) {
    const parsed = createEvent.safeParse(parseJson(line));
    if (!parsed.success) continue;
    const event = parsed.data;
    if (event.event === "created") return { kind: "created", agentId: event.agent_id };
    return { kind: "error", errorClass: event.error_class, message: event.message };
  }
  return undefined;
}

/** The line of an output that says what went wrong: mngr's `Error: …`, else the last one that says anything. */
export function errorLine(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const line = lines.find((each) => /^Error: /.test(each)) ?? lines.at(-1) ?? "no message";
  return line.replace(/^Error: /, "").trim();
}

function failure(what: string, { code, stderr }: Finished): MngrError {
  return new MngrError(`${what} failed (exit status ${code}): ${errorLine(stderr)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

let running = 0;
const waiting: (() => void)[] = [];

async function takeSlot(): Promise<void> {
  if (running >= mostAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
}

function freeSlot(): void {
  // A slot goes straight to the next in line, so that nobody slips in between.
  const next = waiting.shift();
  if (next === undefined) running -= 1;
  else next();
}

async function withSlot<Result>(work: () => Promise<Result>): Promise<Result> {
  await takeSlot();
  try {
    return await work();
  } finally {
    freeSlot();
  }
}

function runToEnd(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn("mngr", args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: patienceMs });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output.stderr += text;
    });
    child.once("error", (error) => reject(notStarted(error)));
    child.once("close", (code) => resolve({ code: code ?? 1, ...output }));
  });
}

async function startDetached(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { cwd, stdout, stderr }: { cwd: string; stdout: string; stderr: string },
): Promise<ChildProcess> {
  await takeSlot();
  const outputs = [openSync(stdout, "w", 0o600), openSync(stderr, "w", 0o600)] as const;
  try {
    const child = spawn("mngr", args, { cwd, env, stdio: ["ignore", ...outputs], detached: true });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => reject(notStarted(error)));
    });
    child.once("exit", freeSlot);
    return child;
  } catch (error) {
    freeSlot();
    throw error;
  } finally {
    for (const output of outputs) closeSync(output);
  }
}

function notStarted(error: Error): MngrError {
  const isMissing = "code" in error && error.code === "ENOENT";
  return new MngrError(
    isMissing
      ? "mngr is not on the scheduler's PATH; mend it with: npm run setup, then pulumi up"
      : `mngr could not be started: ${error.message}`,
  );
}
