import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { upCommand } from "../../lib/own-commands.ts";
import { plainWords } from "../../lib/text.ts";
import { ModalError } from "../../modal/modal-error.ts";
import type { Modal } from "../../modal/types.ts";
import type { RecordedRun, Run } from "../run-records.ts";
import { type RunKey, type RunsVolume, readRemoteRun } from "./remote-runs.ts";
import type { AppSpec } from "./spec.ts";

/** The function itself may take 15 minutes, plus the wait for a container. */
const fireTimeoutSeconds = 1080;
/** How often the records of an open run are read; seconds. */
const pollSeconds = 3;
/** How many consecutive reads may fail because Modal is unreachable. */
const mostAbsences = 10;

/** What a deployed function returns when called to run. */
const fireAnswer = z.object({
  run: z.string(),
  outcome: z.enum(["started", "skipped", "failed"]),
  reason: z.optional(z.nullable(z.string())),
});

export type Fired =
  | { readonly runId: string }
  | { readonly skipped: string }
  /** It was fired, but no agent could be created. */
  | { readonly runId: string; readonly failed: string };

/**
 * Calls the deployed function now, through the same path as its schedule. Returns once the agent exists; the call
 * continues if this process ends.
 *
 * @throws ModalError, also if the function itself fails
 */
export async function fireRemote(client: Modal, { appName, environment }: AppSpec): Promise<Fired> {
  const parameters = { cause: "manual", request: randomUUID(), mode: "run" };
  const call = await client.spawn({ app: appName, function: "fire", environment, arguments: parameters });
  const answer = fireAnswer.safeParse(await resultOf(client, call, `modal app logs ${appName} --env ${environment}`));
  if (!answer.success) {
    const remedy = `bring it up to date with: ${upCommand()}`;
    throw new ModalError("other", `the function of ${appName} gave an unexpected answer`, remedy);
  }
  const { run: runId, outcome, reason } = answer.data;
  if (outcome === "skipped") return { skipped: reason ?? "its last run has not ended" };
  return outcome === "failed" ? { runId, failed: reason ?? "no reason was given" } : { runId };
}

async function resultOf(client: Modal, call: string, logs: string): Promise<unknown> {
  try {
    return await client.result(call, { timeoutSeconds: fireTimeoutSeconds });
  } catch (error) {
    if (!(error instanceof ModalError) || error.kind !== "other") throw error;
    const said = plainWords(error.message).replace(/^.*?Remote error: /s, "");
    throw new ModalError("other", `its function on Modal failed: ${said}`, `see: ${logs}`);
  }
}

/**
 * Waits until a run's records show its end.
 *
 * @param onProgress called with the run whenever something new is recorded
 * @throws ModalError if Modal stays unreachable; the run continues anyway
 */
export async function followRemote(
  volume: RunsVolume,
  place: RunKey,
  timeoutSeconds: number,
  onProgress?: (run: Run) => void,
): Promise<RecordedRun> {
  let seen = "";
  for (let absences = 0; ; await sleep(pollSeconds * 1000)) {
    try {
      const run = await readRemoteRun(volume, () => timeoutSeconds, place);
      if (run === undefined) throw new ModalError("unreachable", `there is no record of ${place.id} yet`);
      absences = 0;
      const now = JSON.stringify(run);
      if (now !== seen) onProgress?.(run);
      seen = now;
      if (run.outcome !== undefined) return run;
    } catch (error) {
      absences += 1;
      if (!(error instanceof ModalError) || error.kind !== "unreachable" || absences >= mostAbsences) throw error;
    }
  }
}
