import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { upCommand } from "../../lib/own-commands.ts";
import { plainWords } from "../../lib/text.ts";
import { ModalError } from "../../modal/modal-error.ts";
import type { Modal } from "../../modal/types.ts";
import type { RecordedRun, Run } from "../run-records.ts";
import { type RunPlace, type RunsVolume, readRemoteRun } from "./remote-runs.ts";
import type { AppSpec } from "./spec.ts";

/** The function itself may take 15 minutes, and its container may have to be waited for. */
const firePatienceSeconds = 1080;
/** How often an open run's records are looked at; seconds. */
const lookEverySeconds = 3;
/** For so many looks in a row Modal may be away. */
const mostAbsences = 10;

/** What a deployed function says when it was called to run. */
const fireAnswer = z.object({
  run: z.string(),
  outcome: z.enum(["started", "skipped", "failed"]),
  reason: z.optional(z.nullable(z.string())),
});

export type Fired =
  | { readonly runId: string }
  | { readonly skipped: string }
  /** It was fired, and no agent could be made. */
  | { readonly runId: string; readonly failed: string };

/**
 * Calls the deployed function now, through the very same path as its schedule. Returns once its agent is there; the
 * call goes on when this process ends.
 *
 * @throws ModalError also when the function itself fails
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
    return await client.result(call, { timeoutSeconds: firePatienceSeconds });
  } catch (error) {
    if (!(error instanceof ModalError) || error.kind !== "other") throw error;
    const said = plainWords(error.message).replace(/^.*?Remote error: /s, "");
    throw new ModalError("other", `its function on Modal failed: ${said}`, `see: ${logs}`);
  }
}

/**
 * Waits for a run's end, told by its records.
 *
 * @param onProgress called with the run whenever something was recorded of it
 * @throws ModalError when Modal stays away; the run goes on all the same
 */
export async function followRemote(
  volume: RunsVolume,
  place: RunPlace,
  timeoutSeconds: number,
  onProgress?: (run: Run) => void,
): Promise<RecordedRun> {
  let seen = "";
  for (let absences = 0; ; await sleep(lookEverySeconds * 1000)) {
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
