import type { MachineWeb } from "./machine-web.ts";
import { addressOf, type PlacedAgent } from "./machines.ts";

/**
 * Deletes what a machine was snapshotted to before an update that came up: it went before the last snapshot. One that
 * can't be deleted goes with the machine.
 *
 * @param agent as mngr showed it before the update
 */
export async function pruneSnapshots(agent: PlacedAgent, { machines, mngr, log }: MachineWeb): Promise<void> {
  try {
    for (const { id } of agent.host.snapshots) {
      await mngr.forgetSnapshot(addressOf(agent), id);
      await machines.deleteSnapshot(id);
    }
  } catch (error) {
    log(`warning: an old snapshot of ${agent.name} stays: ${error instanceof Error ? error.message : error}`);
  }
}
