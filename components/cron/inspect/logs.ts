import { readFileSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import type { Answer, InspectedStack, NotFound } from "../../stack/inspection.ts";
import type { Run } from "../run-records.ts";
import { runReport } from "../run-text.ts";
import { deployedWith } from "./deployed.ts";
import { type CronModalObservation, cronObservation } from "./on-modal.ts";
import { type RunOnProvider, recordedRun, recordedRuns } from "./recorded-runs.ts";

/** How many recent runs to search for one that was not skipped. */
const mostSkipped = 40;

/** What a run printed, and its outcome. Runs of removed changelings are found too. */
export async function cronLogs(
  stack: InspectedStack,
  name: string,
  id: string | undefined,
): Promise<Answer | NotFound> {
  const modal = await cronObservation(await stack.modal(name));
  const run =
    id === undefined
      ? (await recordedRuns(stack, modal, { name, limit: mostSkipped })).find(({ outcome }) => outcome !== "skipped")
      : await recordedRun(stack, modal, { changeling: name, id });
  if (run === undefined) return withoutRun(stack, name, id, modal);
  const files = run.provider === "local" ? localLogs(stack.paths, run) : await remoteLogs(modal, run);
  const text = files.map(({ file, text: content }) => `--- ${file}\n${content.trimEnd()}`).join("\n");
  return { data: { run, files }, text: `${runReport(run)}\n${text === "" ? withoutLogs(run) : text}` };
}

/** @throws if the changeling is deployed */
function withoutRun(
  stack: InspectedStack,
  name: string,
  id: string | undefined,
  modal: CronModalObservation,
): NotFound {
  const { changelings, problems } = deployedWith(stack, modal);
  const deployed = [...changelings, ...problems].map((each) => each.name);
  if (modal.kind === "unreached") {
    return { deployed, unreached: `there are no runs of ${name} here, and ${modal.error.message}` };
  }
  if (!deployed.includes(name)) return { deployed };
  if (id === undefined) throw new Error(`${name} has not run yet; fire it with: ${changelingCommand()} run ${name}`);
  throw new Error(`${name} has no run "${id}"; its runs: ${changelingCommand()} runs ${name}`);
}

/** A run's readable files, in the order in which they were written. */
function localLogs(paths: InstallationPaths, run: Run): { file: string; text: string }[] {
  const folder = join(paths.runs, run.changeling, run.id);
  const logs = namesIn(folder).filter((file) => file.endsWith(".log"));
  return logs.sort().map((file) => ({ file, text: readFileSync(join(folder, file), "utf8") }));
}

async function remoteLogs(modal: CronModalObservation, run: Run): Promise<{ file: string; text: string }[]> {
  if (modal.kind !== "reached" || modal.fleet.volume === undefined) return [];
  const { readRemoteLogs } = await import("../modal/remote-runs.ts");
  return readRemoteLogs(modal.fleet.volume, run);
}

function withoutLogs(run: RunOnProvider): string {
  if (run.outcome !== undefined) return "(its logs were removed)";
  return run.provider === "local"
    ? "(it has printed nothing yet)"
    : `(its log is kept when it ends; until then: mngr connect ${run.id})`;
}
