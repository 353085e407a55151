import * as z from "zod/mini";
import { installationPaths } from "../../host/installation-paths.ts";
import { adminRequest } from "./admin-client.ts";

/** It logs one browser in to an agent, once. */
export interface Login {
  readonly url: string;
  readonly expiresAt: Date;
}

/** The server's answer. */
export const loginForm = z.object({ url: z.string(), expiresAt: z.coerce.date() });

/**
 * A new login URL, from the forwarding server of this person on this machine.
 *
 * @param installation of the stack; see `ForwardingServer.installation`
 * @throws when the forwarding server does not run, or knows no such agent
 */
export async function loginUrl(installation: string, agentId: string): Promise<Login> {
  return loginForm.parse(
    await adminRequest(installationPaths(installation).forwarding, { op: "mint", agent: agentId }),
  );
}
