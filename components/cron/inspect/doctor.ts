import { outdatedInWords } from "../../host/supervision/state.ts";
import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand, upCommand } from "../../lib/own-commands.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import type { Diagnosis, Examination, InspectedStack } from "../../stack/inspection.ts";
import type { DeclaredCron } from "../declared.ts";
import { installedJobs } from "../local/installed-files.ts";
import { readRuns } from "../local/records.ts";
import { schedulerState } from "../local/state.ts";
import { bootInstructions } from "../local/supervise.ts";
import { rejectedKey } from "../run-records.ts";
import type { CronSettings } from "../settings.ts";
import { hookChecks } from "./hooks.ts";
import { cronsOnModal } from "./on-modal.ts";
import { signingChecks } from "./signing.ts";

/** Checks the repositories, the scheduler and the jobs on this machine, and the apps on Modal. */
export async function diagnoseCron(
  stack: InspectedStack,
  examination: Examination<DeclaredCron, CronSettings>,
): Promise<Diagnosis> {
  const { changelings, settings, isAbsent } = await examination.declared;
  const [signing, hooks, onModal] = await Promise.all([
    signingChecks({ changelings }),
    hookChecks({ changelings }, examination),
    modalPart(changelings, examination),
  ]);
  const isElsewhere = isAbsent && onModal !== undefined;
  const needsNone = settings !== undefined && changelings.every(({ provider }) => provider === "modal");
  return {
    declared: [...signing, ...hooks],
    deployed: localChecks(stack, isElsewhere || needsNone),
    ...onModal,
  };
}

async function modalPart(
  changelings: readonly DeclaredCron[],
  { onModal, deep }: Examination,
): Promise<Pick<Diagnosis, "onModal" | "snapshots"> | undefined> {
  const modal = await onModal;
  if (modal?.observed.environment === undefined) return undefined;
  const declared = changelings.flatMap(({ name, provider }) => (provider === "modal" ? [name] : []));
  try {
    const [crons, { cronModalChecks }] = await Promise.all([cronsOnModal(modal), import("./doctor-modal.ts")]);
    return {
      onModal: await cronModalChecks(crons, modal.observed.environment, { declared, deep }),
      snapshots: crons.apps.flatMap(({ spec }) => spec.snapshotLabel ?? []),
    };
  } catch (error) {
    return { onModal: [failed("Modal", messageOf(error))] };
  }
}

/** @param needsNone this machine fires none of the stack's changelings */
function localChecks(stack: InspectedStack, needsNone: boolean): Check[] {
  const { jobs, problems } = installedJobs(stack.paths);
  const scheduler = needsNone && jobs.length + problems.length === 0 ? [] : [schedulerCheck(stack)];
  return [
    ...scheduler,
    ...problems.map(({ name, problem }) => failed(`job of ${name}`, problem)),
    ...jobs.flatMap(({ name }) => failedRunCheck(stack, name)),
  ];
}

/**
 * Warns if the last run failed in such a way that the next one will fail too: before its agent was created (a repository's
 * hook may fail, or a git filter may be missing), or because its key is rejected.
 */
function failedRunCheck({ paths }: InspectedStack, name: string): Check[] {
  const last = readRuns(paths, name).find(({ outcome }) => outcome !== undefined && outcome !== "skipped");
  if (last?.outcome !== "failed") return [];
  const reason = last.reason ?? "no reason is recorded";
  if (last.agentId !== undefined && !reason.startsWith(rejectedKey)) return [];
  const detail =
    last.agentId === undefined ? `the last run could not start: ${reason}` : `the last run failed: ${reason}`;
  return [warning(`runs of ${name}`, detail, `repair that, then run: ${changelingCommand()} run ${name} --wait`)];
}

function schedulerCheck({ paths }: InspectedStack): Check {
  const state = schedulerState(paths);
  if (!state.alive) {
    const remedy = `start it with: ${upCommand()} (the next preview shows it as drift)`;
    return failed("scheduler", "not running, so nothing fires", remedy);
  }
  const detail = `running (pid ${state.pid})`;
  const outdated = outdatedInWords(state);
  if (outdated !== undefined) return warning("scheduler", `${detail}; it ${outdated}`, upCommand());
  const remedy = bootInstructions(paths);
  return { ...ok("scheduler", detail), ...(remedy === undefined ? {} : { remedy }) };
}
