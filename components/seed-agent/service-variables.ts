import { variables } from "./program/settings.ts";
import type { SeedAgentSpec } from "./spec.ts";

/** The service's variables that options of the fleet file set, by option. */
export const variablesOfOptions = {
  port: "PORT",
  mode: "SEED_MODE",
  model: "SEED_MODEL",
  goal: "SEED_GOAL",
  probation_seconds: "SEED_PROBATION_SECONDS",
  changes_per_day: "SEED_CHANGES_PER_DAY",
  usd_per_day: "SEED_USD_PER_DAY",
} as const satisfies Readonly<Record<string, keyof typeof variables>>;

/** The variables that the deployment sets. */
export const variablesOfDeployment: ReadonlySet<string> = new Set<keyof typeof variables>([
  ...(["HTTP_SERVER_ENABLED", "SEED_NAME", "SEED_NODE", "SEED_HOST", "SEED_DATA_DIR", "SEED_CODE_DIR"] as const),
  ...(["SEED_SECRETS_FILE", "SEED_GOAL_FILE", "SEED_PEERS", "DNS_CLUSTER_QUERY", "SEED_MONITORING_PORT"] as const),
]);

/** The secrets that `up` generates. */
export const generatedSecrets = ["RELEASE_COOKIE", "SEED_CONTROL_TOKEN"] as const;

/** The other secrets that the service reads. */
export const secretVariables: readonly string[] = Object.entries(variables).flatMap(([name, { secret }]) =>
  secret === true && !generatedSecrets.some((each) => each === name) ? [name] : [],
);

/**
 * The variables of a node that do not depend on the provider. The provider adds SEED_NODE, SEED_HOST, SEED_DATA_DIR, and
 * the variables by which the node finds its peers and its secrets.
 */
export function serviceVariables(spec: SeedAgentSpec): Record<string, string> {
  return {
    ...spec.env,
    HTTP_SERVER_ENABLED: "true",
    SEED_NAME: spec.name,
    PORT: String(spec.port),
    SEED_MODE: spec.mode,
    SEED_MODEL: spec.model,
    ...(spec.goal === undefined ? {} : { SEED_GOAL: spec.goal }),
    SEED_PROBATION_SECONDS: String(spec.probationSeconds),
    SEED_CHANGES_PER_DAY: String(spec.changesPerDay),
    SEED_USD_PER_DAY: String(spec.usdPerDay),
  };
}
