import type { Forwarding } from "../../fleet/index.ts";
import { addressesOf } from "./program/addresses.ts";

/** Where a browser finds an agent's page; ends with a slash. */
export function pageUrl(forwarding: Pick<Forwarding, "port" | "publicUrl" | "routing">, agentId: string): string {
  const config = { routing: forwarding.routing, publicUrl: forwarding.publicUrl ?? null };
  const origin = addressesOf(config, forwarding.port).agent(agentId, undefined);
  return forwarding.routing === "path" ? `${origin}/${agentId}/` : `${origin}/`;
}
