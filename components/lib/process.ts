import { type ChildProcess, spawn } from "node:child_process";
import { Writable } from "node:stream";

// Why own code: tinyexec 1.4.0 always gives the child this process's environment. execa 10.2.1 takes 150 ms to load; its time
// limit kills the child but not its group, and it then waits for the group's output. Groups, the watcher, descriptor 3
// and stopping by input would remain here anyway.

export interface ProgramOptions {
  /** The child's whole environment. It inherits nothing from this process. */
  readonly env: Readonly<Record<string, string>>;
  /** After this time the child and every process that it started are killed. */
  readonly timeoutSeconds: number;
  /** Its abort kills the child and every process that it started. */
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string | undefined;
  /** An open file of this process, or a text, which the child gets as its file descriptor 3. */
  readonly file?: number | string | undefined;
  /** The child's stdin; empty by default. */
  readonly input?: string | Uint8Array | undefined;
  /** Instead of killing the child at the signal's abort, this is written to its input, which stays open until then. */
  readonly stopInput?: { readonly text: string; readonly graceSeconds: number } | undefined;
  /** Called with the child's process id, which is its group's too, as soon as it runs. */
  readonly onStart?: ((pid: number) => void) | undefined;
  /** Called with the child's output as it arrives. */
  readonly onOutput?: ((text: string, stream: "stdout" | "stderr") => void) | undefined;
  /** If the child prints more characters than this to one stream, it is killed. No limit by default. */
  readonly maxOutput?: number | undefined;
  /** `false`: the output is passed to `onOutput` only, and is missing from the result, so that it takes no memory. */
  readonly keepsOutput?: boolean | undefined;
  /** Whether processes that the child leaves in its group are killed when it exits. */
  readonly endsGroup?: boolean | undefined;
}

export interface ProgramEnd {
  /**
   * 124 if it was killed by the timeout, 130 by the signal, 137 because it printed too much, 127 if it could not be
   * started.
   */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const timedOut = 124;
export const aborted = 130;
export const printedTooMuch = 137;
export const notStarted = 127;

/** How long a process that left the group may keep the output open after the rest was killed, in milliseconds. */
const drainMs = 1000;

/** Runs a program in its own process group, which is killed however this process ends. Never throws. */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  const { signal, cwd, file, input, stopInput, onOutput = () => {}, keepsOutput = true } = options;
  const { maxOutput = Number.POSITIVE_INFINITY } = options;
  if (signal?.aborted) return Promise.resolve({ code: aborted, stdout: "", stderr: "" });
  return new Promise((resolve) => {
    const output = { stdout: "", stderr: "" };
    const printed = { stdout: 0, stderr: 0 };
    const child = spawn(command, args, {
      env: options.env,
      cwd,
      detached: true,
      stdio: [
        input === undefined && stopInput === undefined ? "ignore" : "pipe",
        "pipe",
        "pipe",
        ...(file === undefined ? [] : [typeof file === "string" ? ("pipe" as const) : file]),
      ],
    });
    const group = child.pid;
    if (group !== undefined) options.onStart?.(group);
    let ended: number | undefined;
    const killGroup = () => {
      if (group !== undefined) kill(group, "SIGKILL");
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, drainMs).unref();
    };
    const endWith = (code: number) => {
      ended ??= code;
      killGroup();
    };
    const timer = setTimeout(() => endWith(timedOut), options.timeoutSeconds * 1000);
    let stopping: NodeJS.Timeout | undefined;
    const abort = () => {
      if (stopInput === undefined) return endWith(aborted);
      child.stdin?.end(stopInput.text);
      stopping = setTimeout(() => endWith(aborted), stopInput.graceSeconds * 1000);
    };
    signal?.addEventListener("abort", abort, { once: true });
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        if (ended === printedTooMuch) return;
        if (keepsOutput) output[stream] += text;
        printed[stream] += text.length;
        if (printed[stream] > maxOutput) endWith(printedTooMuch);
        onOutput(text, stream);
      });
    }
    // The child may exit before it has read its input.
    child.stdin?.once("error", () => {});
    if (stopInput === undefined) child.stdin?.end(input);
    else child.stdin?.write(input ?? "");
    const extra = child.stdio[3];
    if (typeof file === "string" && extra instanceof Writable) extra.once("error", () => {}).end(file);
    const watcher = group === undefined ? undefined : watchOver(group);
    const end = (code: number) => {
      clearTimeout(timer);
      clearTimeout(stopping);
      signal?.removeEventListener("abort", abort);
      watcher?.kill("SIGKILL");
      if (ended === printedTooMuch) output.stderr += `\nkilled: it printed more than ${maxOutput} characters\n`;
      resolve({ code: ended ?? code, ...output });
    };
    child.once("error", (error) => {
      output.stderr += error.message;
      end(notStarted);
    });
    if (options.endsGroup) child.once("exit", killGroup);
    child.once("close", (code) => end(code ?? 1));
  });
}

function kill(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Already gone.
  }
}

/**
 * Kills a group when this process ends: the pipe between the two closes, even after a SIGKILL. A separate group
 * receives neither the terminal's signals nor those of this process's group.
 */
export function watchOver(group: number): ChildProcess {
  const watcher = spawn("/bin/sh", ["-c", 'read -r _; kill -s TERM -- "-$1"', "sh", String(group)], {
    env: {},
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Without the watcher the program still ends by itself, or by its timeout.
  watcher.once("error", () => {});
  return watcher;
}

/** Whether a process with this id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
