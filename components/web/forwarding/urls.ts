import * as z from "zod/mini";
import { installationPaths } from "../../host/installation-paths.ts";
import { adminRequest } from "./admin-client.ts";
import type { Forwarding } from "./declared.ts";
import { addressesOf } from "./program/addresses.ts";

/** A one-time login of one browser to an agent. */
export interface Login {
  readonly url: string;
  readonly expiresAt: Date;
}

/** The server's response to `mint`. */
export const loginForm = z.object({ url: z.string(), expiresAt: z.coerce.date() });

/**
 * Requests a new login URL from the user's forwarding server on this machine.
 *
 * @param installation of the stack; see `ForwardingServer.installation`
 * @throws if the forwarding server does not run, or does not know the agent
 */
export async function loginUrl(installation: string, agentId: string): Promise<Login> {
  return loginForm.parse(
    await adminRequest(installationPaths(installation).forwarding, { op: "mint", agent: agentId }),
  );
}

/** The URL of an agent's page in a browser, with a trailing slash. */
export function pageUrl(forwarding: Pick<Forwarding, "port" | "publicUrl" | "routing">, agentId: string): string {
  const config = { routing: forwarding.routing, publicUrl: forwarding.publicUrl ?? null };
  const origin = addressesOf(config, forwarding.port).agent(agentId, undefined);
  return forwarding.routing === "path" ? `${origin}/${agentId}/` : `${origin}/`;
}
