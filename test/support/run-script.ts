import { spawn } from "node:child_process";
import { join } from "node:path";
import { quickStart } from "../../components/host/quick-start.ts";

export interface Ended {
  readonly code: number | null;
  /** Both streams, interleaved as received. */
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** As `scripts/stack/launch.mjs` has them; by it, messages would advise what the launcher was called with. */
const programs = {
  start: "stack/start.ts",
  stop: "stack/stop.ts",
  changeling: "changeling/changeling.ts",
} as const;

export type Program = keyof typeof programs;

/**
 * Runs a script like the launcher, without a terminal.
 * @param interruptAt sends a SIGINT when its output matches
 */
export function runScript(
  script: Program,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  interruptAt?: RegExp,
): Promise<Ended> {
  const child = spawn(process.execPath, [...quickStart, join("scripts", programs[script]), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { output: "", stdout: "", stderr: "" };
  let wasInterrupted = false;
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
      said.output += text;
      if (wasInterrupted || interruptAt?.test(said.output) !== true) return;
      wasInterrupted = true;
      child.kill("SIGINT");
    });
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...said })));
}
