import * as z from "zod/mini";
import {
  changelingVariables,
  type EnvironmentOf,
  environmentCodec,
  number,
  optionalText,
  text,
  type ValuesOf,
  yesNo,
} from "../command-environment.ts";
import type { DeclaredSeedAgent } from "./declared.ts";
import { type SeedAgentSpec, seedAgentProviders } from "./spec.ts";

/** The environment of a seed agent's Command. */
const variables = {
  ...changelingVariables,
  provider: ["PROVIDER", z.enum(seedAgentProviders)],
  /** What is deployed: a release's version, and a hash of its program. */
  release: ["RELEASE", text],
  replicas: ["REPLICAS", number],
  port: ["PORT", number],
  mode: ["MODE", z.enum(["off", "propose", "auto"])],
  model: ["MODEL", z.enum(["claude", "codex"])],
  goal: ["GOAL", optionalText],
  probationSeconds: ["PROBATION_SECONDS", number],
  changesPerDay: ["CHANGES_PER_DAY", number],
  usdPerDay: ["USD_PER_DAY", number],
  volumeGb: ["VOLUME_GB", number],
  app: ["APP", optionalText],
  organization: ["ORGANIZATION", optionalText],
  region: ["REGION", optionalText],
  context: ["CONTEXT", optionalText],
  namespace: ["NAMESPACE", optionalText],
  image: ["IMAGE", optionalText],
  storageClass: ["STORAGE_CLASS", optionalText],
  destroyData: ["DESTROY_DATA", yesNo],
} as const;

export const seedAgentEnvironment = environmentCodec(variables);

export type SeedAgentValues = ValuesOf<typeof variables>;

export function environmentOfSeedAgent(
  { spec, enabled, description, renamedFrom, destroyData }: DeclaredSeedAgent,
  { installation, release }: { readonly installation: string; readonly release: string },
): EnvironmentOf<typeof variables> {
  const { fly, kubernetes, ...others } = spec;
  return seedAgentEnvironment.encode({
    ...others,
    ...{ enabled, description, renamedFrom, destroyData, installation, release },
    app: fly?.app || undefined,
    organization: fly?.organization,
    region: fly?.region,
    context: kubernetes?.context,
    namespace: kubernetes?.namespace,
    image: kubernetes?.image,
    storageClass: kubernetes?.storageClass,
  });
}

export function specOfSeedAgent(values: SeedAgentValues): SeedAgentSpec {
  const { name, provider, installation, region = "sea", namespace = "default", image = "" } = values;
  return {
    name,
    provider,
    replicas: values.replicas,
    port: values.port,
    mode: values.mode,
    model: values.model,
    goal: values.goal,
    probationSeconds: values.probationSeconds,
    changesPerDay: values.changesPerDay,
    usdPerDay: values.usdPerDay,
    secrets: [...values.secrets],
    env: values.env,
    // App names are unique among all of Fly's users.
    fly:
      provider === "fly"
        ? { app: values.app ?? `${name}-${installation}`, organization: values.organization, region }
        : undefined,
    kubernetes:
      provider === "kubernetes"
        ? { context: values.context, namespace, image, storageClass: values.storageClass }
        : undefined,
    volumeGb: values.volumeGb,
  };
}
