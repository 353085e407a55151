import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isMissing } from "../files.ts";
import { appendRecord, boundRecords, type RecordedRun, readRuns } from "../records.ts";
import type { RunContext } from "./context.ts";
import { deleteBranchIfEmpty, gitIn } from "./git.ts";
import { branchOf, type RunPlan } from "./plan.ts";

/** So many runs of a changeling keep their folder (logs, prompt). */
const keptFolders = 50;

/**
 * After a run: of the older ones, the agents are destroyed and empty branches deleted, folders and records are cut.
 * What fails is tried again after the next run.
 */
export async function prune({ spec }: RunPlan, context: RunContext): Promise<void> {
  const ended = readRuns(context.paths, spec.name).filter((run) => run.endedAt !== undefined);
  const withAgent = ended.filter((run) => run.agentIsKept);
  await destroyAgents(withAgent.slice(spec.keepRuns), spec.mngrProfile, context);
  const kept = new Set(withAgent.slice(0, spec.keepRuns).map(({ id }) => id));
  pruneFolders(join(context.paths.runs, spec.name), kept);
  boundRecords(context.paths, spec.name);
}

/** @param runs with agents that are stopped */
async function destroyAgents(
  runs: readonly RecordedRun[],
  mngrProfile: string | undefined,
  context: RunContext,
): Promise<void> {
  const agents = runs.flatMap(({ agentId }) => agentId ?? []);
  await context.mngr(mngrProfile).destroy(agents);
  for (const { id, changeling, repo, base } of runs) {
    appendRecord(context.paths, { event: "destroyed", at: new Date().toISOString(), changeling, id });
    if (repo === undefined || base === undefined) continue;
    await deleteBranchIfEmpty(gitIn(repo, context.env), base, branchOf(id)).catch((error: unknown) =>
      context.log(`${id}: its empty branch stays: ${error instanceof Error ? error.message : error}`),
    );
  }
}

function pruneFolders(folder: string, kept: ReadonlySet<string>): void {
  // Their names end in their times, so their order is that of time.
  const oldestFirst = listFolder(folder).sort();
  for (const id of oldestFirst.slice(0, -keptFolders)) {
    if (!kept.has(id)) rmSync(join(folder, id), { recursive: true, force: true });
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
