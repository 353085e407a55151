import * as pulumi from "@pulumi/pulumi";
import { installationPaths } from "../host/installation-paths.ts";
import { messageOf } from "../lib/as-error.ts";
import { settleAll } from "../lib/settle-all.ts";
import type { Deployment } from "../stack/deployment.ts";
import { statedEnvironment, thisInstallation } from "../stack/installation.ts";
import type { DeclaredSeedAgent } from "./declared.ts";
import { recordDrift } from "./installed.ts";
import { openProvider } from "./providers.ts";
import { SeedAgentChangeling, statedOf } from "./seed-agent-changeling.ts";
import { specOfSeedAgent } from "./seed-agent-environment.ts";
import type { SeedAgentProviderName } from "./spec.ts";

export const seedAgentDeployment: Deployment<DeclaredSeedAgent> = {
  async observe(changelings, stack) {
    const drifts = new Map(await settleAll(changelings.map(async (each) => [each.name, await driftOf(each)] as const)));
    return () =>
      Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, enabled, spec } = declared;
          const secretValues = stack.secretsOf(declared);
          const drift = drifts.get(name);
          const { url } = new SeedAgentChangeling(name, { declared, secretValues, observed: { drift } });
          return [name, { kind, provider, enabled, mode: spec.mode, nodes: spec.replicas, url }] as const;
        }),
      );
  },
};

/**
 * How the observed state differs from what the last `up` deployed, in words. If the provider does not answer, this only
 * warns: nothing is repaired there, and the deployment of other changelings goes on.
 */
async function driftOf(declared: DeclaredSeedAgent): Promise<string | undefined> {
  const stated = statedOf(declared, statedEnvironment);
  if (stated === undefined) return undefined;
  const installation = thisInstallation();
  const paths = installationPaths(installation);
  const spec = specOfSeedAgent(stated);
  const record = isRecordedHere(spec.provider) ? recordDrift(paths, spec.name, spec) : undefined;
  if (record !== undefined) return record;
  try {
    const provider = await openProvider(spec.provider);
    const observed = await provider.observe(spec.name, { installation, folder: paths.seedAgents, spec });
    if (stated.enabled) return provider.drift(spec, stated.release, observed);
    return observed === undefined ? undefined : "it runs, although it is disabled";
  } catch (error) {
    await pulumi.log.warn(`${declared.name} can't be observed: ${messageOf(error)}`);
    return undefined;
  }
}

/** Whether the last `up` left a record on this machine. CI has no disk that persists. */
function isRecordedHere(provider: SeedAgentProviderName): boolean {
  return provider === "local" || process.env["CI"] !== "true";
}
