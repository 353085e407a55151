/** Deploys a seed agent, or removes it: the `<name>-service` Command. */
import * as z from "zod/mini";
import { commandScript } from "../command-script.ts";
import { isDockerVariable } from "../docker/run-docker.ts";
import { removeEmptyFolders, requireInstallationHere } from "../host/claims.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { removeFile } from "../host/installed-file.ts";
import { printNote } from "../lib/terminal.ts";
import { secretsPath, writeSecrets } from "../secrets/installed.ts";
import { readCredentials } from "./credentials.ts";
import { isFlyVariable } from "./fly/run-flyctl.ts";
import { type InstalledSeedAgent, readSeedAgent, specPath, writeSeedAgent } from "./installed.ts";
import { isKubernetesVariable } from "./kubernetes/run-kubectl.ts";
import type { ObserveOptions, SeedAgentProvider } from "./provider.ts";
import { openProvider } from "./providers.ts";
import { type SeedAgentValues, seedAgentEnvironment, specOfSeedAgent } from "./seed-agent-environment.ts";
import { runsOnThisMachine } from "./spec.ts";

export default commandScript({
  variables: z.intersection(seedAgentEnvironment.schema, z.object({ VALUES: z.string(), CREDENTIALS: z.string() })),
  keeps: (name) => isDockerVariable(name) || isFlyVariable(name) || isKubernetesVariable(name),
  // It builds an image and replaces one machine after another.
  timeoutSeconds: 3600,
  async apply(values) {
    const { installation, renamedFrom, enabled, release } = values;
    const paths = installationPaths(installation);
    const spec = specOfSeedAgent(values);
    const secrets = valuesOf(values.VALUES);
    const credentials = readCredentials(values.CREDENTIALS);
    const options = optionsFor(values);
    const provider = await openProvider(spec.provider);
    const former = lastInstalled(
      () => readSeedAgent(paths, renamedFrom ?? spec.name) ?? readSeedAgent(paths, spec.name),
    );
    writeSecrets(paths, spec.name, secrets);
    const isReplaced =
      former !== undefined && (former.spec.name !== spec.name || former.spec.provider !== spec.provider);
    // On this machine or the same provider, both would use the same ports or the same data. Otherwise the new one serves
    // before the old one is removed.
    const isRemovedFirst =
      isReplaced && (runsOnThisMachine(former.spec.provider) || former.spec.provider === spec.provider);
    if (isRemovedFirst) await removeFormer(former, options);
    if (isRemovedFirst && former.spec.provider === spec.provider)
      await provider.adopt?.(former.spec.name, spec.name, options);
    if (!enabled) await provider.remove(spec.name, { ...options, spec, destroyData: false });
    const deployed = enabled
      ? await provider.deploy(spec, { ...options, spec, release, secrets: { ...secrets, ...credentials } })
      : undefined;
    const controlToken = credentials.SEED_CONTROL_TOKEN;
    writeSeedAgent(paths, { spec, enabled, release, url: deployed?.url, controlToken });
    if (isReplaced && !isRemovedFirst) await removeFormer(former, options);
    if (renamedFrom !== undefined) {
      removeFile(specPath(paths, renamedFrom));
      removeFile(secretsPath(paths, renamedFrom));
    }
    return { deployed: spec.name, url: deployed?.url ?? null, nodes: deployed?.nodes ?? 0, release };
  },
  async remove(values) {
    const { name, installation, destroyData } = values;
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    const provider = await openProvider(values.provider);
    const options = { ...optionsFor(values), spec: specOfSeedAgent(values), destroyData };
    for (const place of await provider.remove(name, options)) printNote(`${name}: its data is kept: ${place}\n`);
    removeFile(specPath(paths, name));
    removeFile(secretsPath(paths, name));
    removeEmptyFolders(paths);
    return { removed: name };
  },
});

function optionsFor({ name, installation }: SeedAgentValues): ObserveOptions {
  const { seedAgents: folder } = installationPaths(installation);
  return { installation, folder, onProgress: (line) => printNote(`${name}: ${line}\n`) };
}

async function removeFormer({ spec }: InstalledSeedAgent, options: ObserveOptions): Promise<void> {
  const provider: SeedAgentProvider = await openProvider(spec.provider);
  const kept = await provider.remove(spec.name, { ...options, spec, destroyData: false });
  for (const place of kept) options.onProgress?.(`the data of ${spec.name} on ${spec.provider} is kept: ${place}`);
}

/** The errors of JSON.parse and zod would quote the text, which contains secrets. */
function valuesOf(json: string): Record<string, string> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(json));
  } catch {
    throw new Error("the values of its secrets are not a JSON object of strings");
  }
}

/** @returns undefined also for a record that was edited by hand: it is replaced */
function lastInstalled(read: () => InstalledSeedAgent | undefined): InstalledSeedAgent | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
