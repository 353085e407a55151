import type { Forwarding } from "../fleet/index.ts";
import { addressesOf } from "./forwarding/program/addresses.ts";

/** Where a browser finds an agent's page; ends with a slash. */
export function pageUrl(forwarding: Omit<Forwarding, "provider" | "buildArgs">, agentId: string): string {
  const config = { ...forwarding, version: 1 as const, publicUrl: forwarding.publicUrl ?? null };
  const origin = addressesOf(config, forwarding.port).agent(agentId, undefined);
  return forwarding.routing === "path" ? `${origin}/${agentId}/` : `${origin}/`;
}
