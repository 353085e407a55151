import { gitIn } from "../../git/git.ts";
import type { PlacedAgent } from "../life-cycle/agent-host.ts";
import { rolledBack } from "../life-cycle/roll-back.ts";
import type { Merged } from "../repo/merge.ts";
import { isolated } from "./adopt-repo.ts";
import { scriptInMachine } from "./in-machine.ts";
import type { MachineUpdate } from "./machine-web.ts";
import { addressOf, agentAt, started } from "./machines.ts";
import { startOnMachine } from "./start-on-machine.ts";

export interface FailedOnMachine {
  readonly update: MachineUpdate;
  /** The merge that the update made. */
  readonly merged: Merged;
  /** The temporary repo. */
  readonly repo: string;
  /** The machine's last snapshot before the update; undefined if the update did not touch the machine. */
  readonly snapshot: string | undefined;
}

/**
 * Rolls a machine back to the previous version after a failed update. The agent's commits since then are kept.
 *
 * @returns what runs now
 */
export async function rollBackOn(agent: PlacedAgent, failed: FailedOnMachine): Promise<string> {
  const { update, merged, repo, snapshot } = failed;
  const { secrets, web } = update;
  const machine = snapshot === undefined ? agent : await asBefore(agent, snapshot, update);
  const host = machine.host.name;
  return await rolledBack({
    ...{ update, merged, records: web.records, isRestored: true, hint: "" },
    undoMerge: () => undoMergeOn(machine, merged, update),
    async end() {
      await web.machines.stop(machine);
      return "its agent is stopped";
    },
    async start(spec, record) {
      await gitIn(repo, isolated(web.env)).run(["checkout", "--quiet", "--force", "--detach", merged.before]);
      const start = { spec, record, repo, host, isNew: false, secrets };
      return { ...(await startOnMachine(start, web, async () => {})), host };
    },
  });
}

/** Restores the machine's own files, which are on no volume, from the snapshot. */
async function asBefore(agent: PlacedAgent, snapshot: string, { web }: MachineUpdate): Promise<PlacedAgent> {
  const { machines, mngr } = web;
  const address = addressOf(agent);
  const snapshots = (await agentAt(address, mngr))?.host.snapshots ?? [];
  const at = snapshots.find(({ id }) => id === snapshot)?.created_at;
  // A machine starts from its latest snapshot.
  const later = at === undefined ? [] : snapshots.filter(({ created_at }) => Date.parse(created_at) > Date.parse(at));
  for (const { id } of later) {
    await mngr.forgetSnapshot(address, id);
    await machines.deleteSnapshot(id);
  }
  await machines.end(agent.host.id);
  return await started({ ...agent, state: "STOPPED" }, web);
}

/** @returns whether the merge was undone */
async function undoMergeOn(agent: PlacedAgent, { before, after }: Merged, { web }: MachineUpdate): Promise<boolean> {
  if (before === after) return true;
  const { results } = await web.mngr.exec([addressOf(agent)], scriptInMachine("undo-merge.sh", [before, after]));
  return results[0]?.stdout.trim() === "undone";
}
