import { messageOf } from "../../lib/as-error.ts";
import { masked } from "../../lib/masking.ts";
import { plainWords } from "../../lib/text.ts";
import { type CliEnd, type CliRun, CliStopped, runCli } from "../../models/run-cli.ts";
import { type Sandbox, SandboxGone } from "../provider.ts";
import { RuntimeError } from "./runtime.ts";

/**
 * Runs an agent's CLI in the sandbox. If `onValue` throws, the CLI is ended: every program in the sandbox can write to its
 * output, for instance JSON that is nested too deeply for `JSON.stringify`, and that must not end the session service.
 *
 * @throws RuntimeError `cancelled`, `timeout`, `sandbox_gone`, or what `fatal` returned
 */
export async function runInSandbox(sandbox: Sandbox, run: Omit<CliRun, "exec">): Promise<CliEnd> {
  let rejected: RuntimeError | undefined;
  try {
    return await runCli({
      ...run,
      // Its output is processed as it arrives. Kept, that of a few agents could fill this process's memory.
      exec: (argv, options) => sandbox.exec(argv, { ...options, keepsOutput: false }),
      onValue(value) {
        try {
          run.onValue(value);
        } catch (error) {
          rejected ??= new RuntimeError("runtime_failed", `${run.name} printed what can't be processed: ${error}`);
        }
      },
      fatal: () => rejected ?? run.fatal(),
    });
  } catch (error) {
    if (error instanceof CliStopped) throw new RuntimeError(error.code, error.message);
    if (error instanceof SandboxGone) throw new RuntimeError("sandbox_gone", error.message, { cause: error });
    if (error instanceof RuntimeError) throw error;
    const why = messageOf(error);
    throw new RuntimeError("runtime_failed", `${run.name} could not be run: ${why}`, { cause: error });
  }
}

/** Makes untrusted text safe for an error message: one line, without control characters and secrets. */
export function reasonOf(text: string, env: Readonly<Record<string, string>>): string {
  const line = plainWords(
    masked(
      text,
      Object.values(env).filter((value) => value.length >= 8),
    ),
  )
    .replace(/\s+/g, " ")
    .trim();
  return line.length > 1000 ? `${line.slice(0, 500)} … ${line.slice(-499)}` : line;
}
