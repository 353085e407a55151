import { type ChildProcess, spawn } from "node:child_process";

export interface ProgramOptions {
  /** The child's whole environment. It inherits nothing from this process. */
  readonly env: Readonly<Record<string, string>>;
  /** After this time the child and every process that it started are killed. */
  readonly timeoutSeconds: number;
  /** An open file of this process, which the child inherits as its file descriptor 3. */
  readonly file?: number | undefined;
  /** The child's stdin; empty by default. */
  readonly input?: string | undefined;
  /** Called with the child's output as it arrives. */
  readonly onOutput?: ((text: string, stream: "stdout" | "stderr") => void) | undefined;
}

export interface ProgramEnd {
  /** 124 if it was killed by the timeout, 127 if it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const timedOut = 124;
export const notStarted = 127;

/** Runs a program in its own process group, which is killed however this process ends. Never throws. */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const { file, input, onOutput = () => {} } = options;
    const output = { stdout: "", stderr: "" };
    const child = spawn(command, args, {
      env: options.env,
      detached: true,
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe", ...(file === undefined ? [] : [file])],
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
        onOutput(text, stream);
      });
    }
    // The child may exit before it has read its input.
    child.stdin?.once("error", () => {}).end(input);
    const watcher = group === undefined ? undefined : watchOver(group);
    const end = (code: number) => {
      clearTimeout(timer);
      watcher?.kill("SIGKILL");
      resolve({ code: ended ?? code, ...output });
    };
    child.once("error", (error) => {
      output.stderr += error.message;
      end(notStarted);
    });
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
function watchOver(group: number): ChildProcess {
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
