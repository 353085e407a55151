import { type ImageSources, imageSources } from "../docker/image-sources.ts";
import type { SeedAgentProvider } from "./provider.ts";
import type { SeedAgentProviderName, SeedAgentSpec } from "./spec.ts";

/** The providers by name, loaded on demand. */
const providers: Record<SeedAgentProviderName, () => Promise<SeedAgentProvider>> = {
  local: async () => (await import("./local/provider.ts")).localProvider,
  docker: async () => (await import("./docker/provider.ts")).dockerProvider,
  kubernetes: async () =>
    (await import("./kubernetes/provider.ts")).kubernetesProvider({
      env: process.env,
      writeContext: async (spec, folder) => writeContext(spec, folder, imageSources(process.env)),
    }),
  // Fly builds the image on its own machines, which don't reach a company's mirrors.
  fly: async () => (await import("./fly/provider.ts")).flyProvider({ env: process.env, writeContext }),
};

async function writeContext(spec: SeedAgentSpec, folder: string, sources: ImageSources = {}): Promise<void> {
  const { clisOf, contextFor } = await import("./image/context.ts");
  await contextFor({ folder, clis: clisOf(spec), sources });
}

export function openProvider(name: SeedAgentProviderName): Promise<SeedAgentProvider> {
  return providers[name]();
}
