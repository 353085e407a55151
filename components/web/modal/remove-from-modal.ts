import { type Removed, removeMachines } from "../machine/remove-machines.ts";
import type { ModalWeb } from "./machine-web.ts";

/** As `removeMachines`. */
export async function removeFromModal(
  removal: { name: string; destroyData: boolean },
  web: ModalWeb,
): Promise<Removed> {
  // Somebody removed all of it at once.
  if (!(await web.client.environments()).includes(web.environment)) return {};
  return await removeMachines(removal, web);
}
