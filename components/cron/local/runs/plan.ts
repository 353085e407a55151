import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import * as z from "zod/mini";
import { ensureFolder, namesIn, readJson, writePrivateFile } from "../../../host/files.ts";
import type { InstallationPaths } from "../../../host/installation-paths.ts";
import { type JobSpec, jobSpec } from "../job.ts";

/** What a run was fired with: enough to resume it after a crash, even if its job has changed. */
const runPlan = z.object({
  version: z.literal(1),
  id: z.string(),
  agentId: z.optional(z.string()),
  firedAt: z.string(),
  spec: jobSpec,
});

export interface RunPlan {
  readonly id: string;
  /** The id its agent gets, chosen in advance so that no agent is lost. Undefined in older plans. */
  readonly agentId?: string | undefined;
  /** ISO 8601, UTC. */
  readonly firedAt: string;
  readonly spec: JobSpec;
}

/** The files of one run: what people can read, and what is needed to resume it. All paths are absolute. */
export interface RunFiles {
  readonly folder: string;
  readonly plan: string;
  readonly prompt: string;
  readonly script: string;
  /** Secrets and environment; removed as soon as mngr has read it. */
  readonly env: string;
  /** What mngr prints to stderr while it creates the agent. */
  readonly createLog: string;
  /** mngr's output, as JSON lines. Once this file exists, mngr may have been started. */
  readonly createOutput: string;
  /** The id of mngr's process and group, written by the process itself before it becomes mngr. */
  readonly createPid: string;
  /** A folder that mngr reads as the repository's settings. */
  readonly project: string;
  /** The ref that the new branch started from, for instance `main`. */
  readonly base: string;
  /** The repository's refs before the agent started; absent for runs of older versions. */
  readonly refs: string;
  /** Warnings for its record, one per line; absent if there are none. */
  readonly warnings: string;
  readonly output: string;
  /** Names of the variables that contain secrets: `run-command.sh` redacts their values from the output. */
  readonly secretNames: string;
  /** The command's exit status; written atomically when the command exits. */
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

/** All environment files in use, in one folder so that files left by a crash are easy to find. */
function envFolder(paths: InstallationPaths): string {
  return join(paths.scheduler, "env");
}

/** Removes the environment files that a crash left. @param open ids of runs whose `mngr create` may still read theirs */
export function removeEnvFiles(paths: InstallationPaths, open: ReadonlySet<string>): void {
  const folder = envFolder(paths);
  ensureFolder(folder);
  for (const file of namesIn(folder)) {
    if (!open.has(basename(file, ".env"))) rmSync(join(folder, file), { force: true });
  }
}

export function branchOf(id: string): string {
  return `changelings/${id}`;
}

export function writePlan(files: RunFiles, plan: RunPlan): void {
  writePrivateFile(files.plan, `${JSON.stringify({ version: 1, ...plan })}\n`);
}

/** @returns undefined if the plan is missing or unreadable */
export function readPlan(files: RunFiles): RunPlan | undefined {
  try {
    return runPlan.safeParse(readJson(files.plan)).data;
  } catch {
    return undefined;
  }
}
