import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { ensureFolder, readTail, writePrivateFile } from "../../host/files.ts";
import { type DaemonState, daemonState } from "../../host/supervision/state.ts";
import { bootInstructionsOf, logTail, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { asError } from "../../lib/as-error.ts";
import { type Observed, SeedAgentError, type SeedAgentProvider } from "../provider.ts";
import { healthOf, isDegraded, isTaken, whenAnswering } from "./health.ts";
import {
  daemonOf,
  dataFolder,
  type LocalNode,
  localNode,
  nodesFolder,
  nodesOf,
  placeOf,
  readStarted,
  urlOf,
  variablesOf,
  versionOf,
  writeStarted,
} from "./node.ts";

/** How long a node may take until it answers, in milliseconds. */
const startMs = 60_000;

/** Seed agents as supervised processes of this machine, each node with a port and a data folder of its own. */
export const localProvider: SeedAgentProvider = {
  async deploy(spec, { installation, folder, secrets, release, onProgress }) {
    const { name, port, replicas } = spec;
    // One after another: the others serve meanwhile, and a program that does not start stops only the first one.
    for (let number = 1; number <= replicas; number += 1) {
      const node = localNode(folder, name, number);
      const variables = variablesOf(spec, node, release);
      const version = versionOf(release, variables, secrets);
      await start(node, { installation, release, version, variables, secrets, port: port + number - 1 }, onProgress);
    }
    for (const node of nodesOf(folder, name).slice(replicas)) await stop(node, installation);
    return { url: urlOf(port), nodes: replicas };
  },

  async observe(name, { folder }) {
    const nodes = nodesOf(folder, name);
    if (nodes.length === 0) return undefined;
    const found = await Promise.all(nodes.map(observeNode));
    const releases = new Set(found.map(({ release }) => release));
    const [first] = found;
    return {
      release: releases.size === 1 ? first?.release : undefined,
      nodes: found.map(({ id, healthy, problem }) => ({ id, healthy, ...(problem === undefined ? {} : { problem }) })),
      url: first?.port === undefined ? undefined : urlOf(first.port),
      settings: {},
    };
  },

  drift(spec, release, observed) {
    if (observed === undefined) return "it does not run";
    const dead = observed.nodes.find(({ problem }) => problem !== undefined && problem !== isDegraded);
    if (dead !== undefined) return `${dead.id} ${dead.problem}`;
    if (observed.nodes.length !== spec.replicas) return `it has ${observed.nodes.length} nodes, not ${spec.replicas}`;
    return observed.release === release ? undefined : "runs an older program";
  },

  async remove(name, { installation, folder, destroyData }) {
    for (const node of nodesOf(folder, name)) await stop(node, installation);
    rmSync(nodesFolder(folder, name), { recursive: true, force: true, maxRetries: 3 });
    const data = dataFolder(folder, name);
    if (destroyData) rmSync(data, { recursive: true, force: true, maxRetries: 3 });
    return existsSync(data) ? [data] : [];
  },

  async adopt(former, name, { folder }) {
    const [from, to] = [dataFolder(folder, former), dataFolder(folder, name)];
    if (!existsSync(from) || existsSync(to)) return;
    ensureFolder(dirname(to));
    renameSync(from, to);
  },

  bootInstructions(name, { installation, folder }) {
    const [first] = nodesOf(folder, name);
    return first === undefined ? undefined : bootInstructionsOf(daemonOf(first, { installation, version: "" }));
  },

  async logs(name, { folder, lines }) {
    const nodes = nodesOf(folder, name);
    const tails = nodes.map((node) => tailOf(node, lines));
    if (tails.length === 1) return tails.join("");
    return nodes.map(({ number }, index) => `${name}-${number}:\n${tails[index]}`).join("\n");
  },
};

interface Start {
  readonly installation: string;
  readonly release: string;
  readonly version: string;
  readonly port: number;
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Converges one node. @throws SeedAgentError with its log tail if it does not answer */
async function start(node: LocalNode, given: Start, onProgress: ((line: string) => void) | undefined): Promise<void> {
  const { installation, release, version, port, variables, secrets } = given;
  const id = `${node.name}-${node.number}`;
  const url = urlOf(port);
  const before = stateOf(node);
  const isCurrent = before.current && readStarted(node)?.version === version;
  if (isCurrent && (await whenAnswering(url, 5000, () => !stateOf(node).alive)).answers) return;
  await stopNode(node, installation);
  if (await isTaken(port)) {
    throw new SeedAgentError(`another program has the port ${port} of ${id}; end it, or write another port`);
  }
  ensureFolder(dirname(node.folder));
  ensureFolder(node.folder);
  ensureFolder(dirname(node.data));
  ensureFolder(node.data);
  writePrivateFile(node.secretsFile, `${JSON.stringify(secrets)}\n`);
  writeStarted(node, { release, version, port });
  const daemon = daemonOf(node, { installation, version, variables });
  try {
    const { pid, supervisor } = await startDaemon(daemon);
    const found = await whenAnswering(url, startMs, () => !stateOf(node).alive);
    if (!found.answers) throw new Error(`it ${found.problem} at ${url}`);
    onProgress?.(`${id} runs (pid ${pid}, kept running by ${supervisor}), and answers at ${url}`);
  } catch (error) {
    const tail = tailOf(node, 20).trim() || logTail(daemon);
    // Otherwise its supervisor would start it again and again.
    await stopNode(node, installation);
    throw new SeedAgentError(`${id} did not start: ${asError(error).message}\n${tail}`);
  }
}

async function stop(node: LocalNode, installation: string): Promise<void> {
  await stopNode(node, installation);
  rmSync(node.folder, { recursive: true, force: true, maxRetries: 3 });
}

async function stopNode(node: LocalNode, installation: string): Promise<void> {
  await stopDaemon(daemonOf(node, { installation, version: "" }));
}

function stateOf(node: LocalNode): DaemonState {
  return daemonState(placeOf(node, readStarted(node)?.version ?? ""));
}

async function observeNode(node: LocalNode): Promise<Observed["nodes"][number] & { release?: string; port?: number }> {
  const id = `${node.name}-${node.number}`;
  const started = readStarted(node);
  if (started === undefined) return { id, healthy: false, problem: "was never started" };
  const { release, port } = started;
  const state = stateOf(node);
  if (!state.alive) return { id, healthy: false, problem: "is not running", release, port };
  if (!state.current) return { id, healthy: false, problem: "runs an older program", release, port };
  const { healthy, problem } = await healthOf(urlOf(port));
  return { id, healthy, release, port, ...(problem === undefined ? {} : { problem }) };
}

function tailOf({ logFile }: LocalNode, lines: number): string {
  return readTail(logFile, 256 * lines)
    .split("\n")
    .slice(-lines - 1)
    .join("\n");
}
