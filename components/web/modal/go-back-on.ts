import { gitIn } from "../../source/git.ts";
import type { Merged } from "../local/merge.ts";
import type { ModalUpdate } from "./apply-on-modal.ts";
import { scriptInMachine } from "./in-machine.ts";
import { addressOf, agentAt, endMachine, type PlacedAgent, started } from "./machines.ts";
import { hostIdTag } from "./place.ts";
import { saveRecord } from "./records.ts";
import { startOnModal } from "./start-on-modal.ts";

export interface FailedOnMachine {
  readonly update: ModalUpdate;
  /** What the update merged. */
  readonly merged: Merged;
  /** The temporary repo. */
  readonly repo: string;
  /** What the machine was before; undefined: it was not touched since it started. */
  readonly snapshot: string | undefined;
}

/**
 * Goes back to what ran on a machine before an update that failed. What the agent committed since stays.
 *
 * @returns what runs now
 */
export async function goBackOn(agent: PlacedAgent, failed: FailedOnMachine): Promise<string> {
  const { update, merged, repo } = failed;
  const { record, secrets, web } = update;
  const { applied: before, merged: _done, ...kept } = record;
  const machine = failed.snapshot === undefined ? agent : await asBefore(agent, failed.snapshot, update);
  const isUndone = await takenBack(machine, merged, update);
  if (before?.enabled !== true) {
    await endMachine(machine, web);
    await saveRecord(before === undefined ? kept : { ...kept, applied: before }, web);
    return "its agent is stopped";
  }
  await gitIn(repo, web.env).run(["checkout", "--quiet", "--force", "--detach", merged.before]);
  const host = machine.host.name;
  const start = { spec: before, record: kept, repo, host, isNew: false, secrets };
  const { hostAddress } = await startOnModal(start, web, async () => {});
  const modal = { stack: web.stack, environment: web.environment, host };
  await saveRecord({ ...kept, modal, applied: before, hostAddress }, web);
  if (isUndone) return "what ran before runs again";
  return "what ran before runs again, but with the new code: the agent has committed upon it, or changed its files";
}

/** The machine's own files, which are on no volume, as they were when it was snapshotted. */
async function asBefore(agent: PlacedAgent, snapshot: string, { web }: ModalUpdate): Promise<PlacedAgent> {
  const { client, environment, mngr } = web;
  const address = addressOf(agent);
  const snapshots = (await agentAt(address, mngr))?.host.snapshots ?? [];
  const at = snapshots.find(({ id }) => id === snapshot)?.created_at;
  // It starts from the last one.
  const later = at === undefined ? [] : snapshots.filter(({ created_at }) => Date.parse(created_at) > Date.parse(at));
  for (const { id } of later) {
    await mngr.forgetSnapshot(address, id);
    await client.deleteImage(id);
  }
  await client.endSandboxes(environment, { [hostIdTag]: agent.host.id });
  return await started({ ...agent, state: "STOPPED" }, web);
}

/** @returns whether the merge is undone */
async function takenBack(agent: PlacedAgent, { before, after }: Merged, { web }: ModalUpdate): Promise<boolean> {
  if (before === after) return true;
  const { results } = await web.mngr.exec([addressOf(agent)], scriptInMachine("take-back.sh", [before, after]));
  return results[0]?.stdout.trim() === "undone";
}
