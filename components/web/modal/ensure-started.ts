import type { ModalToken } from "../../modal/token.ts";
import type { WebRecord } from "../agent/record.ts";
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
