import { join } from "node:path";
import * as z from "zod/mini";
import { readJson, writePrivateFile } from "../../../host/files.ts";
import type { InstallationPaths } from "../../../host/installation-paths.ts";
import { type JobSpec, jobSpec } from "../job.ts";

/** What a run was fired with: enough to take it up again after a crash, whatever became of its job meanwhile. */
const runPlan = z.object({
  version: z.literal(1),
  id: z.string(),
  agentId: z.optional(z.string()),
  firedAt: z.string(),
  spec: jobSpec,
});

export interface RunPlan {
  readonly id: string;
  /** The id that its agent gets: known before there is one, so that none is lost. Undefined in older plans. */
  readonly agentId?: string | undefined;
  /** ISO 8601, UTC. */
  readonly firedAt: string;
  readonly spec: JobSpec;
}

/** What one run leaves to be read, and what it is taken up again from. All absolute paths. */
export interface RunFiles {
  readonly folder: string;
  readonly plan: string;
  readonly prompt: string;
  readonly script: string;
  /** Secrets and environment; removed as soon as mngr has read it. */
  readonly env: string;
  /** mngr's own words while it creates the agent. */
  readonly createLog: string;
  /** Its answer, as JSON lines. Once this is there, it may have been started. */
  readonly createOutput: string;
  /** The id of its process and group, which that writes itself before it becomes mngr. */
  readonly createPid: string;
  /** A folder: what mngr takes for the repository's settings. */
  readonly project: string;
  /** What the new branch started from, for instance `main`. */
  readonly base: string;
  /** The repository's refs before the agent started; absent for runs of older versions. */
  readonly refs: string;
  /** What its record is to warn of: one in each line; absent when there is nothing. */
  readonly warnings: string;
  readonly output: string;
  /** Names of the variables that hold secrets: `run-command.sh` keeps their values out of the output. */
  readonly secretNames: string;
  /** The command's exit status; appears, whole, when it has ended. */
  readonly exit: string;
}

export function runFiles(paths: InstallationPaths, changeling: string, id: string): RunFiles {
  const folder = join(paths.runs, changeling, id);
  return {
    folder,
    plan: join(folder, "run.json"),
    prompt: join(folder, "prompt.md"),
    script: join(folder, "agent.sh"),
    env: join(envFolder(paths), `${id}.env`),
    createLog: join(folder, "create.log"),
    createOutput: join(folder, "create.jsonl"),
    createPid: join(folder, "create.pid"),
    project: join(folder, "mngr"),
    base: join(folder, "base"),
    refs: join(folder, "refs"),
    warnings: join(folder, "warnings"),
    output: join(folder, "output.log"),
    secretNames: join(folder, "secrets"),
    exit: join(folder, "exit.json"),
  };
}

/** Environment files in use: in one place, so that what a crash left is found at once. */
export function envFolder(paths: InstallationPaths): string {
  return join(paths.scheduler, "env");
}

export function branchOf(id: string): string {
  return `changelings/${id}`;
}

export function writePlan(files: RunFiles, plan: RunPlan): void {
  writePrivateFile(files.plan, `${JSON.stringify({ version: 1, ...plan })}\n`);
}

/** @returns undefined when it is not there, or not to be read */
export function readPlan(files: RunFiles): RunPlan | undefined {
  try {
    return runPlan.safeParse(readJson(files.plan)).data;
  } catch {
    return undefined;
  }
}
