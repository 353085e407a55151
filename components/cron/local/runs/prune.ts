import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { countUncommitted, gitIn } from "../../../git/git.ts";
import { isMissing } from "../../../host/files.ts";
import type { RecordedRun } from "../../run-records.ts";
import { appendRecord, boundRecords, readRuns } from "../records.ts";
import type { RunContext } from "./context.ts";
import { deleteBranchIfEmpty } from "./git.ts";
import { branchOf, type RunPlan, readPlan, runFiles } from "./plan.ts";

/** So many runs of a changeling keep their folder (logs, prompt). */
const keptFolders = 50;

/**
 * After a run: of the older ones, the agents are destroyed and empty branches deleted, folders and records are cut.
 * What fails is tried again after the next run.
 */
export async function prune({ spec }: RunPlan, context: RunContext): Promise<void> {
  const ended = readRuns(context.paths, spec.name).filter((run) => run.endedAt !== undefined);
  const withAgent = ended.filter((run) => run.agentIsKept);
  await destroyAgents(withAgent.slice(spec.keepRuns), spec.mngrProfile, context, Number.POSITIVE_INFINITY);
  const kept = new Set(withAgent.slice(0, spec.keepRuns).map(({ id }) => id));
  pruneFolders(join(context.paths.runs, spec.name), kept);
  boundRecords(context.paths, spec.name);
}

/** At most so many agents are destroyed by one mngr, and so many at first: it takes a second for each, or many on a busy machine. */
const destroyedAtOnce = { most: 20, first: 4 };
/** Whoever asked for a removal waits; milliseconds. */
const retirePatienceMs = 60_000;

/**
 * For changelings that were removed (all, without names) and of which nothing runs: nobody will prune their agents any
 * more, so they are destroyed now. One whose worktree has changes that no commit holds stays; so do branches with
 * commits. What keeps one agent keeps no other. What can't be destroyed in time stays too.
 *
 * @param isCalledOff asked before each mngr that is started
 */
export async function retire(
  names: readonly string[] | undefined,
  context: RunContext,
  isCalledOff: () => boolean = () => false,
): Promise<void> {
  const until = Date.now() + retirePatienceMs;
  try {
    const runs = (names ?? [undefined]).flatMap((name) => readRuns(context.paths, name));
    // One that is open still is so because its end could not be written down.
    const kept = runs.filter((run) => run.agentIsKept || run.outcome === undefined);
    const reasons = await Promise.all(kept.map((run) => whyItStays(run, context)));
    for (const [index, { id }] of kept.entries()) {
      if (reasons[index] !== undefined) context.log(`${id}: its agent is kept: ${reasons[index]}`);
    }
    const retired = kept.filter((_, index) => reasons[index] === undefined);
    const profiles = Map.groupBy(retired, ({ changeling, id }) => {
      return readPlan(runFiles(context.paths, changeling, id))?.spec.mngrProfile;
    });
    for (const [profile, runs] of profiles) {
      await destroyInBatches(runs, profile, context, { until, isCalledOff });
    }
  } catch (error) {
    context.log(`agents stay: ${messageOf(error)}`);
  }
}

/** As many at once as there is time for, going by how long the last took. */
async function destroyInBatches(
  runs: readonly RecordedRun[],
  mngrProfile: string | undefined,
  context: RunContext,
  { until, isCalledOff }: { readonly until: number; readonly isCalledOff: () => boolean },
): Promise<void> {
  let size = destroyedAtOnce.first;
  for (let at = 0; at < runs.length && !isCalledOff(); ) {
    if (size < 1) {
      context.log(`${runs.length - at} agents stay: there was no time to destroy them`);
      return;
    }
    const batch = runs.slice(at, at + size);
    const began = Date.now();
    await destroyAgents(batch, mngrProfile, context, until);
    at += batch.length;
    const each = (Date.now() - began) / batch.length;
    size = Math.min(destroyedAtOnce.most, Math.floor((until - Date.now()) / Math.max(each, 1)));
  }
}

/** @returns what would be lost with the agent of a run; undefined: nothing */
async function whyItStays({ worktree }: RecordedRun, context: RunContext): Promise<string | undefined> {
  try {
    const count = await countUncommitted(worktree, context.env);
    return count === 0 ? undefined : `there are uncommitted changes in ${worktree}`;
  } catch (error) {
    return `whether there are uncommitted changes in ${worktree} is not known: ${messageOf(error)}`;
  }
}

/** Together, or each by itself when that fails; none any more after `until`. @param runs with agents that are stopped */
async function destroyAgents(
  runs: readonly RecordedRun[],
  mngrProfile: string | undefined,
  context: RunContext,
  until: number,
): Promise<void> {
  if (Date.now() >= until) return;
  try {
    await destroyTogether(runs, mngrProfile, context);
  } catch (error) {
    if (runs.length === 1) context.log(`${runs[0]?.id}: its agent is kept: ${messageOf(error)}`);
    else for (const run of runs) await destroyAgents([run], mngrProfile, context, until);
  }
}

async function destroyTogether(
  runs: readonly RecordedRun[],
  mngrProfile: string | undefined,
  context: RunContext,
): Promise<void> {
  const agents = runs.flatMap(({ agentId, intendedAgentId }) => agentId ?? intendedAgentId ?? []);
  await context.mngr(mngrProfile).destroy(agents);
  for (const { id, changeling, repo } of runs) {
    appendRecord(context.paths, { event: "destroyed", at: new Date().toISOString(), changeling, id });
    if (repo === undefined) continue;
    await deleteBranchIfEmpty(gitIn(repo, context.env), branchOf(id)).catch((error: unknown) =>
      context.log(`${id}: its empty branch is kept: ${messageOf(error)}`),
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
