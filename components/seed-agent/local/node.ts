import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import * as z from "zod/mini";
import { namesIn, readJsonOrNull, writePrivateFile } from "../../host/files.ts";
import { type Daemon, nodeDaemon } from "../../host/supervision/daemon.ts";
import type { DaemonRef } from "../../host/supervision/state.ts";
import { digestOfJson } from "../../lib/json.ts";
import { serviceVariables } from "../service-variables.ts";
import type { SeedAgentSpec } from "../spec.ts";

/**
 * One node on this machine. In the installation's `seed-agents/`, `nodes/<name>/<number>/` is its supervisor's folder, and
 * `data/<name>/<number>/` contains its data.
 */
export interface LocalNode {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly folder: string;
  readonly data: string;
  readonly secretsFile: string;
  readonly logFile: string;
}

export function nodesFolder(folder: string, name: string): string {
  return join(folder, "nodes", name);
}

export function dataFolder(folder: string, name: string): string {
  return join(folder, "data", name);
}

export function localNode(folder: string, name: string, number: number): LocalNode {
  const own = join(nodesFolder(folder, name), String(number));
  return {
    name,
    number,
    folder: own,
    data: join(dataFolder(folder, name), String(number)),
    secretsFile: join(own, "secrets.json"),
    logFile: join(own, "service.log"),
  };
}

/** The nodes that have a folder, in order. */
export function nodesOf(folder: string, name: string): LocalNode[] {
  return namesIn(nodesFolder(folder, name))
    .filter((each) => /^[1-9]\d*$/.test(each))
    .map(Number)
    .sort((one, other) => one - other)
    .map((number) => localNode(folder, name, number));
}

/** How a node was last started. */
const startedNode = z.object({
  release: z.string(),
  /** A hash of its release, its variables and its secrets. A node whose version differs is restarted. */
  version: z.string(),
  port: z.number(),
  /** Its variables that do not depend on the node. */
  settings: z.record(z.string(), z.string()),
});
export type StartedNode = z.output<typeof startedNode>;

function startedPath({ folder }: Pick<LocalNode, "folder">): string {
  return join(folder, "node.json");
}

/** @returns undefined if it was never started, or its file is invalid; then it is started again */
export function readStarted(node: Pick<LocalNode, "folder">): StartedNode | undefined {
  return startedNode.safeParse(readJsonOrNull(startedPath(node))).data;
}

export function writeStarted(node: Pick<LocalNode, "folder">, started: StartedNode): void {
  writePrivateFile(startedPath(node), `${JSON.stringify(started)}\n`);
}

/** The origin of a node's endpoints. */
export function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** The variables of a node that are not secret. */
export function variablesOf(spec: SeedAgentSpec, node: LocalNode, release: string): Record<string, string> {
  const { port, replicas } = spec;
  const peers = Array.from({ length: replicas }, (_, index) => `127.0.0.1:${port + index}`).join(",");
  return {
    ...serviceVariables(spec),
    PORT: String(port + node.number - 1),
    SEED_HOST: "127.0.0.1",
    SEED_NODE: `${node.name}-${node.number}`,
    SEED_DATA_DIR: node.data,
    SEED_SECRETS_FILE: node.secretsFile,
    SEED_RELEASE: release,
    ...(replicas > 1 ? { SEED_PEERS: peers } : {}),
  };
}

/** Reveals nothing about the secrets, because the cookie among them is random. */
export function versionOf(
  release: string,
  variables: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): string {
  return digestOfJson([release, variables, secrets]).slice(0, 16);
}

export function placeOf({ folder }: Pick<LocalNode, "folder">, version: string): DaemonRef {
  return { folder, stateFile: join(folder, "daemon.json"), programVersion: version };
}

/** The module of a node's process in `components/`, without extension. */
export const nodeProgram = "seed-agent/local/main";

interface NodeProcess {
  readonly installation: string;
  readonly version: string;
  readonly main?: string;
  /** Only needed to start it. */
  readonly release?: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** A folder that is put first on its PATH. */
  readonly tools?: string | undefined;
}

export function daemonOf(
  node: LocalNode,
  { installation, version, main = nodeProgram, release = "", variables = {}, tools }: NodeProcess,
): Daemon {
  const title = `seed agent ${node.name} ${node.number}`;
  const place = placeOf(node, version);
  // The code of all nodes is the same, whatever their settings and secrets are.
  const code = { version: release, folder: dirname(node.folder) };
  const daemon = nodeDaemon({ installation, title, main, options: [], ...place, code }, homedir());
  return {
    ...daemon,
    command: [...daemon.command, node.folder, version],
    env: {
      ...daemon.env,
      ...variables,
      ...(tools === undefined ? {} : { PATH: [tools, daemon.env["PATH"] ?? ""].join(delimiter) }),
    },
  };
}
