import { asError } from "../../lib/as-error.ts";
import { warnUnreached } from "../../modal/modal-observation.ts";
import { type InspectedStack, includesProvider } from "../../stack/inspection.ts";
import { installedNames } from "../local/installed-files.ts";
import { readLastRuns, readNewestRuns, readRuns } from "../local/records.ts";
import { type Waiting, waitingOf } from "../local/runs/due-times.ts";
import type { RunKey, RunsVolume, WhichRuns } from "../modal/remote-runs.ts";
import type { CronProvider } from "../options.ts";
import { newestFirst, type RecordedRun } from "../run-records.ts";
import type { CronModalObservation, CronsOnModal } from "./on-modal.ts";

export type RunOnProvider = RecordedRun & { readonly provider: CronProvider };

/** The newest runs of both providers, newest first. Warns if Modal's are not available. */
export async function recordedRuns(
  stack: Pick<InspectedStack, "paths" | "provider">,
  modal: CronModalObservation,
  which: WhichRuns,
): Promise<RunOnProvider[]> {
  const { name, limit = Number.POSITIVE_INFINITY } = which;
  const local = includesProvider(stack, "local") ? readNewestRuns(stack.paths, limit, name) : [];
  const remote = await fromModal(modal, ({ readRemoteRuns }, volume, { timeoutSeconds, firing }) =>
    readRemoteRuns(volume, timeoutSeconds, { ...which, firing }),
  );
  return newestFirst([...on("local", local), ...on("modal", remote)]).slice(0, limit);
}

/** Due runs on this machine that wait for other runs to end, the longest wait first. */
export function waitingRuns(stack: Pick<InspectedStack, "paths" | "provider">, name?: string): Waiting[] {
  if (!includesProvider(stack, "local")) return [];
  const waiting = installedNames(stack.paths).flatMap((each) => waitingOf(stack.paths, each) ?? []);
  const wanted = name === undefined ? waiting : waiting.filter(({ changeling }) => changeling === name);
  return wanted.sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
}

/** The last run of each changeling on each provider. Warns if Modal's are not available. */
export async function lastRuns(
  stack: Pick<InspectedStack, "paths" | "provider">,
  modal: CronModalObservation,
): Promise<RunOnProvider[]> {
  const local = includesProvider(stack, "local") ? readLastRuns(stack.paths) : [];
  const remote = await fromModal(modal, ({ readLastRemoteRuns }, volume, { timeoutSeconds, firing }) =>
    readLastRemoteRuns(volume, timeoutSeconds, firing),
  );
  return [...on("local", local), ...on("modal", remote)];
}

/** One run of a changeling; undefined if it has no record. */
export async function recordedRun(
  stack: Pick<InspectedStack, "paths" | "provider">,
  modal: CronModalObservation,
  { changeling, id }: RunKey,
): Promise<RunOnProvider | undefined> {
  const here = includesProvider(stack, "local") ? readRuns(stack.paths, changeling) : [];
  const local = here.find((run) => run.id === id);
  if (local !== undefined) return { ...local, provider: "local" };
  const remote = await fromModal(modal, async ({ readRemoteRun }, volume, { timeoutSeconds, firing }) => {
    const run = await readRemoteRun(volume, timeoutSeconds, { changeling, id }, firing);
    return run === undefined ? [] : [run];
  });
  return on("modal", remote)[0];
}

async function fromModal(
  modal: CronModalObservation,
  read: (
    records: typeof import("../modal/remote-runs.ts"),
    volume: RunsVolume,
    fleet: CronsOnModal,
  ) => Promise<RecordedRun[]>,
): Promise<RecordedRun[]> {
  if (modal.kind !== "reached" || modal.fleet.volume === undefined) return [];
  try {
    const records = await import("../modal/remote-runs.ts");
    return await read(records, modal.fleet.volume, modal.fleet);
  } catch (error) {
    warnUnreached({ kind: "unreached", error: asError(error) });
    return [];
  }
}

function on(provider: CronProvider, runs: readonly RecordedRun[]): RunOnProvider[] {
  return runs.map((run) => ({ ...run, provider }));
}
