import { type ChildProcess, type IOType, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { upCommand } from "../lib/own-commands.ts";

/** A command that takes longer than this (ms) is ended: mngr waits for locks and for terminals. */
const patienceMs = 120_000;
/** It prints what agents print, which may have no end. In characters. */
const mostOutput = 64_000_000;
/** Every mngr command costs two to four seconds of processor time, so a crowd of them is let in by and by. */
const mostAtOnce = Math.max(4, 2 * availableParallelism());

/** mngr could not do what it was asked. The message is mngr's own first line. */
export class MngrError extends Error {}

/** It was ended because it printed without an end. */
export class TooMuchOutput extends MngrError {}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let running = 0;
const waiting: (() => void)[] = [];

/** @throws MngrError when it was called off first */
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

export interface RunOptions {
  readonly signal: AbortSignal | undefined;
  readonly cwd?: string;
  /** What it finds open as its file 3. */
  readonly file?: number;
  readonly timeoutMs?: number;
}

/** @throws MngrError when it could not be started, or was called off */
export function runToEnd(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: RunOptions,
): Promise<Finished> {
  return withSlot(() => ran(args, env, options));
}

function ran(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { signal, cwd = process.cwd(), file, timeoutMs: timeout = patienceMs }: RunOptions,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw new MngrError(`mngr ${args[0]} was cancelled`);
    // A process group of its own can be ended whole; without a signal it is its caller's that ends.
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
        reject(new TooMuchOutput(`mngr ${args[0]} printed more than ${mostOutput / 1e6} MB and was ended`));
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
    // It ended just now.
  }
}

export interface DetachedOptions {
  readonly cwd: string;
  /** Files for what it prints. */
  readonly stdout: string;
  readonly stderr: string;
  /** A file for its process id, which is also its group's: written before mngr begins, or mngr does not begin. */
  readonly pid: string;
  /** Calls it off while it waits for its turn. */
  readonly signal?: AbortSignal;
}

/** The shell writes its id and becomes mngr, so that a crash of ours leaves no mngr whose id nobody knows. */
const noteIdAndRun = 'echo "$$" >"$0" && exec mngr "$@"';

/** It outlives this process. @throws MngrError when it could not be started, or was called off */
export async function startDetached(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { cwd, stdout, stderr, pid, signal }: DetachedOptions,
): Promise<ChildProcess> {
  await takeSlot(signal);
  const outputs: number[] = [];
  try {
    outputs.push(openSync(stderr, "w", 0o600));
    // The last one: once it is there, mngr may have been started.
    outputs.push(openSync(stdout, "w", 0o600));
    const command = ["-c", noteIdAndRun, pid, ...args];
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
      ? `mngr is not on the PATH; repair it with: npm run setup, then ${upCommand()}`
      : `mngr could not be started: ${error.message}`,
  );
}
