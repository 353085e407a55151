import { changelingCommand } from "../../lib/own-commands.ts";
import type { EndedLogins, InspectedStack } from "../../stack/inspection.ts";
import { forwardingStatus, rotateKey } from "../forwarding/server-client.ts";
import { deployedWeb } from "./list.ts";

/** @throws if the forwarding server does not run: only it can end its logins */
export async function endForwardingLogins(stack: InspectedStack): Promise<EndedLogins | undefined> {
  const { paths } = stack;
  if (deployedWeb(stack).length === 0 && (await forwardingStatus(paths)) === undefined) return undefined;
  return { newLogins: `${changelingCommand()} forward`, warning: await rotateKey(paths) };
}
