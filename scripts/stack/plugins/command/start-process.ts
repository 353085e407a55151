import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { errnoText, quote } from "./go-text.ts";
import type { Results, RunInputs } from "./inputs.ts";

export interface Started {
  child: ChildProcess;
  /** Resolves when the process has ended; rejects if it could not be started. */
  ended: Promise<Ending>;
}
export type Ending = { code: number | null; signal: NodeJS.Signals | null };

export interface CommandLine {
  /** As written in the input. */
  program: string;
  /** The path found on the plugin's own PATH, not on that of the command's environment. */
  executable: string;
  args: string[];
}

/** @throws {Error} if the interpreter is not on PATH. */
export function commandLine(inputs: RunInputs, command: string): CommandLine {
  const [program = "/bin/sh", ...args] = inputs.interpreter?.length ? inputs.interpreter : ["/bin/sh", "-c"];
  return { program, executable: findExecutable(program), args: [...args, command] };
}

/**
 * Starts a command as the leader of its own process group, so that it can be killed with its descendants. The order of
 * the checks and the error texts are those of Go's os/exec.
 */
export function startProcess(
  { program, executable, args }: CommandLine,
  inputs: RunInputs,
  previous: Results,
  stdio: ("ignore" | number)[],
): Started {
  const env = environment(inputs, previous);
  if (Object.values(env).some((value) => value?.includes("\0"))) {
    throw new Error("exec: environment variable contains NUL");
  }
  if (inputs.dir) {
    try {
      statSync(inputs.dir);
    } catch (error) {
      throw new Error(`chdir ${inputs.dir}: ${errnoText(error)}`);
    }
  }
  const failure = (text: string) => new Error(`fork/exec ${executable}: ${text}`);
  if (args.some((arg) => arg.includes("\0"))) throw failure("invalid argument");
  try {
    const cwd = inputs.dir || process.cwd();
    const child = spawn(executable, args, { argv0: program, cwd, env, stdio, detached: true });
    const ended = new Promise<Ending>((resolve, reject) => {
      child.once("error", (error) => reject(failure(errnoText(error))));
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    return { child, ended };
  } catch (error) {
    throw failure(errnoText(error));
  }
}

function environment(inputs: RunInputs, previous: Results): NodeJS.ProcessEnv {
  const passOn = inputs.addPreviousOutputInEnv ?? true;
  return {
    ...process.env,
    ...inputs.environment,
    ...(passOn && previous.stdout !== "" && { PULUMI_COMMAND_STDOUT: previous.stdout }),
    ...(passOn && previous.stderr !== "" && { PULUMI_COMMAND_STDERR: previous.stderr }),
  };
}

function findExecutable(program: string): string {
  if (program.includes("/")) return program;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder || ".", program);
    if (!isExecutable(path)) continue;
    if (!isAbsolute(path))
      throw new Error(`exec: ${quote(program)}: cannot run executable found relative to current directory`);
    return path;
  }
  throw new Error(`exec: ${quote(program)}: executable file not found in $PATH`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
