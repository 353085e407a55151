import type { InstalledSeedAgent } from "./installed.ts";
import { type Connection, SeedAgentError } from "./provider.ts";
import { openProvider } from "./providers.ts";

/** Connects to a seed agent's endpoints: by its URL, or through its provider. @throws SeedAgentError if that fails */
export async function connectTo({ spec, url }: Pick<InstalledSeedAgent, "spec" | "url">): Promise<Connection> {
  if (url !== undefined) return { url, close: () => {} };
  const provider = await openProvider(spec.provider);
  if (provider.connect === undefined) {
    throw new SeedAgentError(`${spec.name}, which runs on ${spec.provider}, can't be reached from this machine`);
  }
  return provider.connect(spec);
}
