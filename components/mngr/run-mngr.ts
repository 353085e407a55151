import { type ChildProcess, type IOType, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { upCommand } from "../lib/own-commands.ts";

/** The timeout of a command in ms: mngr waits for locks and for terminals. */
const timeoutMs = 120_000;
/** The limit of its output in characters: it prints what agents print, which may be endless. */
const mostOutput = 64_000_000;
/** Every mngr command costs two to four seconds of processor time, so only some run at the same time. */
const mostAtOnce = Math.max(4, 2 * availableParallelism());

/** A mngr command failed. The message is the first line of mngr's own. */
export class MngrError extends Error {}

/** mngr was killed because its output exceeded the limit. */
export class TooMuchOutput extends MngrError {}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let running = 0;
const waiting: (() => void)[] = [];

/** @throws MngrError if it is cancelled while waiting */
async function takeSlot(signal?: AbortSignal): Promise<void> {
  if (running < mostAtOnce) {
    running += 1;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const enter = () => {
      signal?.removeEventListener("abort", leave);
      resolve();
    };
    const leave = () => {
      waiting.splice(waiting.indexOf(enter), 1);
      reject(new MngrError("it was cancelled before mngr was started"));
    };
    waiting.push(enter);
    signal?.addEventListener("abort", leave, { once: true });
  });
}

function freeSlot(): void {
  // The slot passes directly to the next in line, so that no other caller can take it.
  const next = waiting.shift();
  if (next === undefined) running -= 1;
  else next();
}

async function inSlot<Result>(work: () => Promise<Result>): Promise<Result> {
  await takeSlot();
  try {
    return await work();
  } finally {
    freeSlot();
  }
}

export interface RunOptions {
  readonly signal: AbortSignal | undefined;
  readonly cwd?: string;
  /** The child's file descriptor 3. */
  readonly file?: number;
  readonly timeoutMs?: number;
}

/** @throws MngrError if it could not be started, or was cancelled */
export function runToEnd(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: RunOptions,
): Promise<Finished> {
  return inSlot(() => runNow(args, env, options));
}

function runNow(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { signal, cwd = process.cwd(), file, timeoutMs: timeout = timeoutMs }: RunOptions,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw new MngrError(`mngr ${args[0]} was cancelled`);
    // With a signal, mngr gets its own process group, which can be killed as a whole. Otherwise it shares ours.
    const detached = signal !== undefined;
    const stdio: IOType[] = ["ignore", "pipe", "pipe"];
    const files = file === undefined ? stdio : [...stdio, file];
    const child = spawn("mngr", args, { cwd, env, stdio: files, timeout, detached });
    const end = () => endGroup(child);
    signal?.addEventListener("abort", end);
    child.once("close", () => signal?.removeEventListener("abort", end));
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
        if (output[stream].length <= mostOutput) return;
        output[stream] = "";
        if (detached) end();
        else child.kill();
        reject(new TooMuchOutput(`mngr ${args[0]} printed more than ${mostOutput / 1e6} MB and was killed`));
      });
    }
    child.once("error", (error) => reject(notStarted(error)));
    child.once("close", (code) => resolve({ code: code ?? 1, ...output }));
  });
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGTERM");
  } catch {
    // The process has just ended.
  }
}

export interface DetachedOptions {
  readonly cwd: string;
  /** Files for its output. */
  readonly stdout: string;
  readonly stderr: string;
  /** A file for its process id, which is also its group's. mngr starts only after it is written. */
  readonly pid: string;
  /** Cancels it while it waits for a slot. */
  readonly signal?: AbortSignal;
}

/** The shell writes its id and then becomes mngr, so that a crash of this process leaves no mngr with an unknown id. */
const recordIdAndRun = 'echo "$$" >"$0" && exec mngr "$@"';

/** The command outlives this process. @throws MngrError if it could not be started, or was cancelled */
export async function startDetached(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { cwd, stdout, stderr, pid, signal }: DetachedOptions,
): Promise<ChildProcess> {
  await takeSlot(signal);
  const outputs: number[] = [];
  try {
    outputs.push(openSync(stderr, "w", 0o600));
    // Created last: once this file exists, mngr may have been started.
    outputs.push(openSync(stdout, "w", 0o600));
    const command = ["-c", recordIdAndRun, pid, ...args];
    const child = spawn("/bin/sh", command, { cwd, env, stdio: ["ignore", ...outputs.toReversed()], detached: true });
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
      ? `mngr is not on the PATH; install it with: npm run setup, then run: ${upCommand()}`
      : `mngr could not be started: ${error.message}`,
  );
}
