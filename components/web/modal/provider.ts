import type { ModalToken } from "../../modal/token.ts";
import type { WebRecord } from "../agent/record.ts";
import { type Removed, removeMachines } from "../machine/remove-machines.ts";
import type { ModalWeb } from "./machine-web.ts";
import { mngrOnModal } from "./mngr-on-modal.ts";

/**
 * Starts an agent that is stopped, from the last snapshot of its machine when that has ended; one that runs is left
 * alone. Its repo, its data and what mngr keeps of it are as they were.
 *
 * @throws MngrError
 */
export async function ensureStarted(
  { hostAddress, mngrHostDir, mngrProfile }: WebRecord,
  { token, env }: { readonly token: ModalToken | undefined; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  if (hostAddress === undefined || mngrHostDir === undefined) return;
  await mngrOnModal({ hostDir: mngrHostDir, mngrProfile, token, env }).start(hostAddress);
}

/** As `removeMachines`. */
export async function removeFromModal(
  removal: { name: string; destroyData: boolean },
  web: ModalWeb,
): Promise<Removed> {
  // Somebody removed all of it at once.
  if (!(await web.client.environments()).includes(web.environment)) return {};
  return await removeMachines(removal, web);
}
