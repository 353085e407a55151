import type { ResolvedChangeling } from "../fleet/kind.ts";
import { modelKeys } from "../fleet/secrets.ts";
import type { SeedAgentOptions } from "./options.ts";
import type { SeedAgentProviderName, SeedAgentSpec } from "./spec.ts";

/** A `seed-agent` changeling: a service that improves itself (spec 003). */
export interface DeclaredSeedAgent extends ResolvedChangeling {
  readonly kind: "seed-agent";
  readonly provider: SeedAgentProviderName;
  readonly spec: SeedAgentSpec;
  readonly destroyData: boolean;
  /** Raising it generates new credentials. */
  readonly rotate: number;
}

/** Values from outside the changeling's options. */
export interface SeedAgentContext {
  /** The goal's text. */
  readonly goal: string | undefined;
  readonly secretsAreExplicit: boolean;
}

export function resolvedSeedAgent(
  name: string,
  options: SeedAgentOptions,
  { goal, secretsAreExplicit }: SeedAgentContext,
): DeclaredSeedAgent {
  const { provider } = options;
  const secrets = secretsAreExplicit ? [...new Set(options.secrets)] : defaultSecrets(options);
  return {
    name,
    kind: "seed-agent",
    provider,
    enabled: options.enabled,
    secrets,
    // Without a model's login the service still runs, and reports that it can't improve itself.
    requiredSecrets: secretsAreExplicit ? secrets.map((each) => [each]) : [],
    description: options.description,
    renamedFrom: options.renamed_from,
    destroyData: options.destroy_data,
    rotate: options.rotate,
    spec: {
      name,
      provider,
      replicas: replicasOf(options),
      port: options.port,
      mode: options.mode,
      model: options.model,
      goal,
      probationSeconds: options.probation_seconds,
      changesPerDay: options.changes_per_day,
      usdPerDay: options.usd_per_day,
      secrets,
      env: options.env,
      fly:
        provider === "fly"
          ? { app: options.app ?? "", organization: options.organization, region: options.region }
          : undefined,
      kubernetes:
        provider === "kubernetes"
          ? {
              context: options.context,
              namespace: options.namespace,
              image: options.container_image ?? "",
              storageClass: options.storage_class,
            }
          : undefined,
      volumeGb: options.volume_gb,
    },
  };
}

/** On Fly two, because Fly replaces one machine after another, and a single one does not serve meanwhile. */
export function replicasOf({ replicas, provider }: Pick<SeedAgentOptions, "replicas" | "provider">): number {
  return replicas ?? (provider === "fly" ? 2 : 1);
}

/** The secrets that the service uses if they are set. */
function defaultSecrets({ model }: SeedAgentOptions): string[] {
  return model === "claude" ? [...modelKeys] : [];
}
