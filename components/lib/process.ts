import { type ChildProcess, spawn } from "node:child_process";

export interface ProgramOptions {
  /** All that it gets; nothing of this process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** After this long it is killed, with all that it started. */
  readonly timeoutSeconds: number;
  /** A file that is open here, and that it finds open as its file 3. */
  readonly file?: number | undefined;
  /** What it reads on stdin; nothing by default. */
  readonly input?: string | undefined;
  /** Called with what it prints, as it comes. */
  readonly onOutput?: ((text: string, stream: "stdout" | "stderr") => void) | undefined;
}

export interface ProgramEnd {
  /** 124 when it was killed for its time, 127 when it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const timedOut = 124;
export const notStarted = 127;

/** Runs a program in a process group of its own, which ends with this process however that ends; never throws. */
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
    // It may be gone before it has read it.
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
    // It is gone.
  }
}

/**
 * Ends a group when this process is gone: the pipe between the two closes then, also when a SIGKILL left no time for
 * anything else. Groups of their own get neither the terminal's signals nor those of this process's group.
 */
function watchOver(group: number): ChildProcess {
  const watcher = spawn("/bin/sh", ["-c", 'read -r _; kill -s TERM -- "-$1"', "sh", String(group)], {
    env: {},
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Without it the program still ends by itself, or when its time is over.
  watcher.once("error", () => {});
  return watcher;
}

/** Whether there is a process with this id; one of somebody else's counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
