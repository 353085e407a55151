import { type ExecEnd, type ExecOptions, type Sandbox, SandboxError } from "./provider.ts";
import { repoPath, type SandboxSpec } from "./spec.ts";

/** Runs the programs of one step of a sandbox's life, and reports a failure with the step's name. */
export interface Steps {
  /**
   * @param step names the step in an error. A program of several steps says by its exit code which one failed
   * @throws SandboxError if the program does not exit with 0
   */
  run(
    step: string | ((code: number) => string),
    argv: readonly string[],
    options?: Partial<ExecOptions>,
  ): Promise<ExecEnd>;
}

/** The defaults of a step. A clone takes longer, and a diff prints more. */
const stepSeconds = 60;
const stepCharacters = 1_000_000;

export function stepsIn(sandbox: Sandbox, signal?: AbortSignal): Steps {
  return {
    async run(step, argv, { timeoutSeconds = stepSeconds, ...options } = {}) {
      const end = await sandbox.exec(argv, { signal, timeoutSeconds, maxOutput: stepCharacters, ...options });
      if (end.code === 0) return end;
      throw new SandboxError(typeof step === "string" ? step : step(end.code), reasonOf(end, timeoutSeconds));
    },
  };
}

/** The last lines that a program printed. They are untrusted: pass them through `plainWords` before you print them. */
function reasonOf({ code, stdout, stderr }: ExecEnd, timeoutSeconds: number): string {
  if (code === 124) return `it was not done within ${timeoutSeconds} s`;
  if (code === 130) return "it was cancelled";
  const printed = stderr.trim() === "" ? stdout.trim() : stderr.trim();
  const tail = printed.split("\n").slice(-5).join("\n").slice(-1000);
  return tail === "" ? `it ended with code ${code}` : tail;
}

/** Git in a sandbox, in its repository. It never prompts, and runs neither hooks nor submodules' code. */
export function gitIn(spec: Pick<SandboxSpec, "repo">): readonly string[] {
  return ["git", "-C", repoPath(spec), "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
}
