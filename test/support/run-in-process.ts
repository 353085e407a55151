import { runChangeling } from "../../scripts/changeling/run.ts";
import type { Ended } from "./run-script.ts";

/**
 * Runs a command of `changeling` in this process, for tests in which the start of a program is not what is tested: that is
 * nearly all of what a short command costs. One at a time, because it has this process's environment and output.
 */
export async function changelingInProcess(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  const before = { env: { ...process.env }, exitCode: process.exitCode };
  const said = { output: "", stdout: "", stderr: "" };
  const restore = (["stdout", "stderr"] as const).map((stream) => {
    const { write } = process[stream];
    process[stream].write = (text: string | Uint8Array) => {
      const shown = typeof text === "string" ? text : Buffer.from(text).toString();
      said[stream] += shown;
      said.output += shown;
      return true;
    };
    return () => {
      process[stream].write = write;
    };
  });
  replaceEnvironment(env);
  process.exitCode = undefined;
  try {
    await runChangeling(args);
    return { code: Number(process.exitCode ?? 0), ...said };
  } finally {
    for (const each of restore) each();
    replaceEnvironment(before.env);
    process.exitCode = before.exitCode;
  }
}

function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
