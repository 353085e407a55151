import { createHash } from "node:crypto";
import { serviceVariables } from "../service-variables.ts";
import { dataFolder, type SeedAgentSpec } from "../spec.ts";
import {
  clusterName,
  containerName,
  dataVolume,
  labels,
  networkName,
  nodeId,
  type Owner,
  ownerLabels,
  secretsVolume,
} from "./names.ts";

/** The port in each container. */
const servicePort = 4000;
const secretsFolder = "/run/seed-agent";
export const secretsFile = "secrets.json";

/** Enough for the service, two versions and their tests, a compiler, and a model's CLI. */
const memory = "2g";
const maxProcesses = 1024;
/** Enough to finish the requests that are being handled. */
export const stopSeconds = 30;

/** The service's variables in every container. SEED_NODE, which differs by node, and the secrets are not among them. */
export function variablesOf(spec: SeedAgentSpec): Readonly<Record<string, string>> {
  return {
    ...serviceVariables(spec),
    PORT: String(servicePort),
    DNS_CLUSTER_QUERY: clusterName,
    SEED_HOST: "::",
    SEED_DATA_DIR: dataFolder,
    SEED_SECRETS_FILE: `${secretsFolder}/${secretsFile}`,
  };
}

/** The published port of a node on this machine's loopback address. */
export function hostPort({ port }: Pick<SeedAgentSpec, "port">, index: number): number {
  return port + index;
}

/** Whether containers get our seccomp profile. Without bubblewrap, Docker's own is enough. */
function usesOwnSeccomp({ env }: Pick<SeedAgentSpec, "env">): boolean {
  return env["SEED_FENCE"] !== "permission";
}

export interface ContainerOptions {
  readonly owner: Owner;
  readonly image: string;
  readonly release: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly seccomp: { readonly path: string; readonly text: string };
}

export interface NodeContainer {
  /** Arguments of `docker container create`. */
  readonly args: readonly string[];
  /** A hash of everything that it is created with. */
  readonly content: string;
}

/**
 * A node's container. It contains no secret: neither `docker inspect` nor an image shows one. Its root file system is
 * read-only, it has no capabilities, and `host.docker.internal` is this machine, for a database that runs on it.
 */
export function nodeContainer(spec: SeedAgentSpec, index: number, options: ContainerOptions): NodeContainer {
  const { owner, image, release, secrets, seccomp } = options;
  const variables = variablesOf(spec);
  const own: Readonly<Record<string, string>> = {
    ...ownerLabels(owner),
    [labels.node]: String(index),
    [labels.release]: release,
    [labels.variables]: JSON.stringify(Object.keys(variables).sort()),
  };
  const named = (option: string, values: Readonly<Record<string, string>>) =>
    Object.entries(values)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([name, value]) => [option, `${name}=${value}`]);
  const args = [
    ...["--name", containerName(owner, index), "--hostname", nodeId(owner, index)],
    ...["--network", networkName(owner), "--network-alias", clusterName],
    ...["--add-host", "host.docker.internal:host-gateway"],
    ...["--publish", `127.0.0.1:${hostPort(spec, index)}:${servicePort}`],
    ...["--restart", "unless-stopped", "--stop-timeout", String(stopSeconds), "--log-driver", "local"],
    ...["--memory", memory, "--memory-swap", memory, "--pids-limit", String(maxProcesses)],
    ...["--read-only", "--tmpfs", "/tmp:rw,nosuid,nodev,size=256m,mode=1777"],
    ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    ...["--mount", `type=volume,src=${dataVolume(owner, index)},dst=${dataFolder}`],
    ...["--mount", `type=volume,src=${secretsVolume(owner)},dst=${secretsFolder},readonly`],
    ...named("--env", { ...variables, SEED_NODE: nodeId(owner, index) }),
    ...named("--label", own),
  ];
  const profile = usesOwnSeccomp(spec) ? seccomp.text : "";
  const hash = createHash("sha256").update(JSON.stringify([args, image, profile, sorted(secrets)]));
  // The label reveals nothing about the secrets, because the cookie among them is random.
  const content = hash.digest("hex").slice(0, 32);
  return {
    content,
    args: [
      ...args,
      ...(profile === "" ? [] : ["--security-opt", `seccomp=${seccomp.path}`]),
      ...["--label", `${labels.content}=${content}`],
      // Otherwise Docker would try to pull a missing image.
      ...["--pull", "never", image],
    ],
  };
}

/** The settings that can drift, as `observe` reads them. */
export function settingsOf(spec: SeedAgentSpec): Readonly<Record<string, string>> {
  return { ...variablesOf(spec), "published port": String(spec.port) };
}

function sorted(values: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1));
}
