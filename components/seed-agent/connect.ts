import type { InstalledSeedAgent } from "./installed.ts";
import { type Reached, SeedAgentError } from "./provider.ts";
import { openProvider } from "./providers.ts";

/** A way to a seed agent's endpoints: its URL, or what its provider opens. @throws SeedAgentError if there is none */
export async function reachSeedAgent({ spec, url }: Pick<InstalledSeedAgent, "spec" | "url">): Promise<Reached> {
  if (url !== undefined) return { url, close: () => {} };
  const provider = await openProvider(spec.provider);
  if (provider.reach === undefined) {
    throw new SeedAgentError(`this machine does not reach ${spec.name}, which runs on ${spec.provider}`);
  }
  return provider.reach(spec);
}
