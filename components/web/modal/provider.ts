import type { ModalToken } from "../../modal/token.ts";
import type { WebRecord } from "../agent/record.ts";
import { type Removal, type Removed, removeWeb } from "../life-cycle/remove.ts";
import { machineHost } from "../machine/machine-host.ts";
import type { ModalWeb } from "./machine-web.ts";
import { mngrOnModal } from "./mngr-on-modal.ts";

/**
 * Starts a stopped agent, from its machine's last snapshot if the machine has ended; does nothing if it runs. Its repo,
 * its data and mngr's files about it are as before.
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

/** Like `removeWeb`. */
export async function removeFromModal(removal: Removal, web: ModalWeb): Promise<Removed> {
  // Somebody deleted the whole environment.
  if (!(await web.client.environments()).includes(web.environment)) return {};
  return await removeWeb(removal, machineHost(web));
}
