import * as z from "zod/mini";
import { installationPaths } from "../../host/installation-paths.ts";
import { adminRequest } from "./admin-client.ts";
import type { Forwarding } from "./declared.ts";
import { addressesOf } from "./program/addresses.ts";

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

/** Where a browser finds an agent's page; ends with a slash. */
export function pageUrl(forwarding: Pick<Forwarding, "port" | "publicUrl" | "routing">, agentId: string): string {
  const config = { routing: forwarding.routing, publicUrl: forwarding.publicUrl ?? null };
  const origin = addressesOf(config, forwarding.port).agent(agentId, undefined);
  return forwarding.routing === "path" ? `${origin}/${agentId}/` : `${origin}/`;
}
