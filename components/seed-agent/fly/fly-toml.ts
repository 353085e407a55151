import { stringify } from "smol-toml";
import { digestOfJson } from "../../lib/json.ts";
import { serviceVariables } from "../service-variables.ts";
import { dataFolder, monitoringPort, type SeedAgentSpec } from "../spec.ts";

/** Spec 003's name. Fly allows letters, digits and `_`. */
export const volumeName = "agent_code";

/**
 * Machines with volumes can't be replaced blue/green: the new machine would need the old one's volume, which is still
 * attached, so flyctl refuses or fails half-way (its documentation excludes volumes from `bluegreen` and `canary`). One
 * machine at a time is taken down, while at least one other serves. A new version of the agent's own code needs no
 * deployment at all.
 */
const strategy = "rolling";

/** Two processors, because a type check and the service run at once; the compiler and a CLI need 200 MB each. */
const machine = { size: "shared-cpu-2x", memory: "1gb" };

/** Variables in which this project records a deployment in a machine's environment. The service ignores them. */
export const notes = {
  release: "SEED_RELEASE",
  installation: "SEED_INSTALLATION",
  secrets: "SEED_SECRETS_FINGERPRINT",
  secretNames: "SEED_SECRET_NAMES",
  secretDigests: "SEED_SECRET_DIGESTS",
  /** A hash of the configuration, without the image. */
  config: "SEED_CONFIG_FINGERPRINT",
} as const;

export interface TomlOptions {
  readonly installation: string;
  readonly release: string;
  /** An existing image. Without it, the Dockerfile beside the file is built. */
  readonly image?: string | undefined;
  /** A keyed fingerprint of the secrets, their names, and a hash of Fly's digests of them. */
  readonly secrets: { readonly fingerprint: string; readonly names: readonly string[]; readonly digests: string };
}

/** The app's fly.toml. Pure; contains no secret. */
export function flyToml(spec: SeedAgentSpec, options: TomlOptions): string {
  return `# Made by changelings for ${spec.name}; every \`up\` writes it again.\n${stringify(flyConfig(spec, options))}\n`;
}

function flyConfig(spec: SeedAgentSpec, options: TomlOptions) {
  const config = baseConfig(spec, options);
  return { ...config, env: { ...config.env, [notes.config]: configFingerprint(spec, options) } };
}

/** Changes with everything that reaches the machines only by a deployment. */
export function configFingerprint(spec: SeedAgentSpec, options: TomlOptions): string {
  const { build: _, ...config } = baseConfig(spec, options);
  return digestOfJson(config).slice(0, 32);
}

function baseConfig(spec: SeedAgentSpec, { installation, release, image, secrets }: TomlOptions) {
  const { app, region } = flyOf(spec);
  return {
    app,
    primary_region: region,
    kill_signal: "SIGTERM",
    kill_timeout: "30s",
    // Fly's volumes belong to root: this stage starts as root, hands /data over, and drops all privileges.
    build: image === undefined ? { dockerfile: "Dockerfile", "build-target": "root-volumes" } : { image },
    deploy: { strategy, max_unavailable: 1, wait_timeout: "10m" },
    env: {
      ...declaredVariables(spec),
      [notes.release]: release,
      [notes.installation]: installation,
      [notes.secrets]: secrets.fingerprint,
      [notes.secretNames]: [...secrets.names].sort().join(","),
      [notes.secretDigests]: secrets.digests,
    },
    mounts: [{ source: volumeName, destination: dataFolder, initial_size: `${spec.volumeGb}gb` }],
    http_service: {
      internal_port: spec.port,
      force_https: true,
      // A stopped node neither improves nor takes part in a roll-out.
      auto_stop_machines: "off",
      auto_start_machines: true,
      min_machines_running: spec.replicas,
      // Fly sends no requests to a machine whose check fails.
      checks: [{ method: "GET", path: "/health", interval: "10s", timeout: "5s", grace_period: "30s" }],
    },
    // A check of the machine, not of the service: it holds a deployment back and `flyctl checks list` shows it, but an
    // unreachable database does not take every machine out of service. It uses the monitoring port, which the internet
    // can't reach, because a token in `headers` would be plain text here and in every machine's configuration.
    checks: {
      deep: {
        ...{ type: "http", port: monitoringPort, method: "get", path: "/health/deep" },
        ...{ interval: "30s", timeout: "15s", grace_period: "60s" },
      },
    },
    // Fly's Prometheus sends no token either.
    metrics: [{ port: monitoringPort, path: "/metrics" }],
    vm: [machine],
  };
}

/** The variables that the spec declares, without `notes`. */
export function declaredVariables(spec: SeedAgentSpec): Record<string, string> {
  return {
    ...serviceVariables(spec),
    // Fly's private network is IPv6.
    SEED_HOST: "::",
    SEED_DATA_DIR: dataFolder,
    SEED_MONITORING_PORT: String(monitoringPort),
    DNS_CLUSTER_QUERY: `${flyOf(spec).app}.internal`,
  };
}

/** @throws Error if the spec is of another provider: a bug */
export function flyOf({ fly, name }: SeedAgentSpec): NonNullable<SeedAgentSpec["fly"]> {
  if (fly === undefined) throw new Error(`the spec of ${name} has no settings for Fly`);
  return fly;
}
