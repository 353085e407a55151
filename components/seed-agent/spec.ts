import * as z from "zod/mini";

/** Where a seed agent can run. */
export const seedAgentProviders = ["local", "docker", "fly", "kubernetes"] as const;
export type SeedAgentProviderName = (typeof seedAgentProviders)[number];

/** Whether nodes use ports of the machine that runs `up`. */
export function runsOnThisMachine(provider: SeedAgentProviderName): boolean {
  return provider === "local" || provider === "docker";
}

/** Everything that `up` deploys of a seed agent, except secret values. Plain JSON, so that it can be stored. */
export const seedAgentSpec = z.object({
  /** The changeling's name; `^[a-z][a-z0-9-]{0,39}$`. */
  name: z.string(),
  provider: z.enum(seedAgentProviders),
  replicas: z.number(),
  port: z.number(),
  /** `off`, `propose` or `auto`. */
  mode: z.enum(["off", "propose", "auto"]),
  model: z.enum(["claude", "codex"]),
  /** The goal's text, from its file. */
  goal: z.optional(z.string()),
  probationSeconds: z.number(),
  changesPerDay: z.number(),
  usdPerDay: z.number(),
  /** Names of the environment variables that the service gets as secrets. */
  secrets: z.array(z.string()),
  /** More variables of the service that are not secret. `program/settings.ts` lists them. */
  env: z.record(z.string(), z.string()),
  /** Fly: the app, the organization and the region. */
  fly: z.optional(z.object({ app: z.string(), organization: z.optional(z.string()), region: z.string() })),
  /** Kubernetes: the kubeconfig's context, the namespace, and the image as nodes pull it. */
  kubernetes: z.optional(
    z.object({
      context: z.optional(z.string()),
      namespace: z.string(),
      image: z.string(),
      storageClass: z.optional(z.string()),
    }),
  ),
  /** Size of a node's volume for `/data`. */
  volumeGb: z.number(),
});
export type SeedAgentSpec = z.output<typeof seedAgentSpec>;

/** The service's user in every container; owns /data. */
export const serviceUser = 10_001;
/** In every container (spec 003). */
export const dataFolder = "/data";
/** Serves /metrics and /health/deep without a token, to the deployment's own network only. */
export const monitoringPort = 9091;
