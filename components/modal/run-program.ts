import { spawn } from "node:child_process";

export interface ProgramOptions {
  /** All that it gets; nothing of this process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** After this long it is killed, with all that it started. */
  readonly timeoutSeconds: number;
  /** A file that is open here, and that it finds open as its file 3. */
  readonly file?: number | undefined;
  /** Called with what it prints on stdout, as it comes. */
  readonly onOutput?: ((text: string) => void) | undefined;
}

export interface ProgramEnd {
  /** 124 when it was killed for its time, 127 when it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const timedOut = 124;
export const notStarted = 127;

/** Groups of processes to end with this one: they don't get the terminal's signals, being groups of their own. */
const groups = new Set<number>();
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a program in a process group of its own, and never throws. */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const { file, onOutput = () => {} } = options;
    const output = { stdout: "", stderr: "" };
    const child = spawn(command, args, {
      env: options.env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", ...(file === undefined ? [] : [file])],
    });
    const group = child.pid;
    let ended: number | undefined;
    const timer = setTimeout(() => {
      ended = timedOut;
      if (group !== undefined) kill(group, "SIGKILL");
    }, options.timeoutSeconds * 1000);
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
        if (stream === "stdout") onOutput(text);
      });
    }
    const end = (code: number) => {
      clearTimeout(timer);
      if (group !== undefined) forget(group);
      resolve({ code: ended ?? code, ...output });
    };
    child.once("error", (error) => {
      output.stderr += error.message;
      end(notStarted);
    });
    child.once("close", (code) => end(code ?? 1));
    if (group !== undefined) remember(group);
  });
}

function kill(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It is gone.
  }
}

function remember(group: number): void {
  if (groups.size === 0) {
    process.on("exit", endGroups);
    for (const signal of endings) process.on(signal, passOn);
  }
  groups.add(group);
}

function forget(group: number): void {
  groups.delete(group);
  if (groups.size > 0) return;
  process.off("exit", endGroups);
  for (const signal of endings) process.off(signal, passOn);
}

function endGroups(): void {
  for (const group of groups) kill(group, "SIGTERM");
}

/** A signal's usual end, with all that was started. */
function passOn(signal: NodeJS.Signals): void {
  endGroups();
  for (const each of endings) process.off(each, passOn);
  process.kill(process.pid, signal);
}
