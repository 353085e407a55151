import { rmSync } from "node:fs";
import { join } from "node:path";
import { countUncommitted, gitIn } from "../../../git/git.ts";
import { namesIn } from "../../../host/files.ts";
import { messageOf } from "../../../lib/as-error.ts";
import type { RecordedRun } from "../../run-records.ts";
import { appendRecord, boundRecords, readRuns } from "../records.ts";
import type { RunContext } from "./context.ts";
import { deleteBranchIfEmpty } from "./git.ts";
import { branchOf, type RunPlan, readPlan, runFiles } from "./plan.ts";

/** How many runs of a changeling keep their folder (logs, prompt). */
const keptFolders = 50;

/**
 * After a run, destroys the agents of older runs, deletes their empty branches, and removes old folders and records.
 * Failures are retried after the next run.
 */
export async function prune({ spec }: RunPlan, context: RunContext): Promise<void> {
  const ended = readRuns(context.paths, spec.name).filter((run) => run.endedAt !== undefined);
  const withAgent = ended.filter((run) => run.agentIsKept);
  await destroyAgents(withAgent.slice(spec.keepRuns), spec.mngrProfile, context, Number.POSITIVE_INFINITY);
  const kept = new Set(withAgent.slice(0, spec.keepRuns).map(({ id }) => id));
  pruneFolders(join(context.paths.runs, spec.name), kept);
  boundRecords(context.paths, spec.name);
}

/**
 * The maximum number of agents per mngr command, and the number in the first one. Destroying an agent takes a second,
 * or many on a busy machine.
 */
const destroyedAtOnce = { most: 20, first: 4 };
/** A user waits for the removal; milliseconds. */
const retireTimeoutMs = 60_000;

/**
 * Destroys the agents of removed changelings that have no open run, because no later run will prune them. Agents whose
 * worktree has uncommitted changes are kept, and so are branches with commits. One kept agent does not affect the
 * others. Agents that can't be destroyed in time are kept too.
 *
 * @param names the removed changelings; undefined: all
 * @param isCalledOff checked before each mngr command
 */
export async function retire(
  names: readonly string[] | undefined,
  context: RunContext,
  isCalledOff: () => boolean = () => false,
): Promise<void> {
  const until = Date.now() + retireTimeoutMs;
  try {
    const runs = (names ?? [undefined]).flatMap((name) => readRuns(context.paths, name));
    // A run that is still open here is one whose end could not be recorded.
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

/** Sizes each batch by how long the previous one took. */
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

/** @returns what would be lost by destroying a run's agent; undefined: nothing */
async function whyItStays({ worktree }: RecordedRun, context: RunContext): Promise<string | undefined> {
  try {
    const count = await countUncommitted(worktree, context.env);
    return count === 0 ? undefined : `there are uncommitted changes in ${worktree}`;
  } catch (error) {
    return `whether there are uncommitted changes in ${worktree} is not known: ${messageOf(error)}`;
  }
}

/** Destroys agents together, or one by one if that fails; stops at `until`. @param runs whose agents are stopped */
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
  const oldestFirst = namesIn(folder).sort((one, other) => (timeIn(one) < timeIn(other) ? -1 : 1));
  for (const id of oldestFirst.slice(0, -keptFolders)) {
    if (!kept.has(id)) rmSync(join(folder, id), { recursive: true, force: true });
  }
}

/** The time in a run's id, which sorts by time. What precedes it is the changeling's name, or a former one. */
function timeIn(id: string): string {
  return id.slice(-"YYYY-MM-DD-HH-MM-SS".length);
}
