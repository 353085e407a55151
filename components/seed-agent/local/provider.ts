import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bubblewrapFolder } from "../../host/bubblewrap.ts";
import { ensureFolder, readTail, writePrivateFile } from "../../host/files.ts";
import { type DaemonState, daemonState } from "../../host/supervision/state.ts";
import { bootInstructionsOf, logTail, startDaemon, stopDaemon } from "../../host/supervision/supervise.ts";
import { messageOf } from "../../lib/as-error.ts";
import { masked } from "../../lib/masking.ts";
import { isAlive } from "../../lib/process.ts";
import { driftFrom } from "../drift.ts";
import { type Observed, SeedAgentError, type SeedAgentProvider } from "../provider.ts";
import { serviceVariables } from "../service-variables.ts";
import { healthOf, isDegraded, isTaken, whenAnswering } from "./health.ts";
import {
  daemonOf,
  dataFolder,
  type LocalNode,
  localNode,
  nodeProgram,
  nodesFolder,
  nodesOf,
  placeOf,
  readStarted,
  type StartedNode,
  urlOf,
  variablesOf,
  versionOf,
  writeStarted,
} from "./node.ts";

/** How long a node may take until it answers, in milliseconds. */
const startMs = 60_000;
/** How long a stopped process may take to exit, in milliseconds. */
const endMs = 5000;

export interface LocalSeedAgentOptions {
  /** For tests: another module for a node's process. */
  readonly main?: string;
  /** How long a node may take until it answers. */
  readonly startMilliseconds?: number;
}

/** Seed agents as supervised processes on this machine. Each node has its own port and data folder. */
export function localSeedAgents({
  main = nodeProgram,
  startMilliseconds = startMs,
}: LocalSeedAgentOptions = {}): SeedAgentProvider {
  return {
    async deploy(spec, { installation, folder, secrets, release, onProgress }) {
      const { name, port, replicas } = spec;
      const tools = await fenceTools(onProgress);
      // One after another: the others serve meanwhile, and a program that does not start stops only the first one.
      for (let number = 1; number <= replicas; number += 1) {
        const node = localNode(folder, name, number);
        const variables = variablesOf(spec, node, release);
        await start(node, {
          ...{ installation, main, startMilliseconds, variables, secrets, tools, onProgress },
          version: versionOf(release, variables, secrets),
          started: { release, port: port + number - 1, settings: serviceVariables(spec) },
        });
      }
      for (const node of nodesOf(folder, name).slice(replicas)) await stop(node, installation);
      return { url: urlOf(port), nodes: replicas };
    },

    async observe(name, { folder }) {
      const nodes = nodesOf(folder, name);
      if (nodes.length === 0) return undefined;
      const found = await Promise.all(nodes.map(observeNode));
      const started = nodes.map(readStarted);
      const releases = new Set(started.map((each) => each?.release));
      const [first] = started;
      return {
        release: releases.size === 1 ? first?.release : undefined,
        nodes: found,
        url: first === undefined ? undefined : urlOf(first.port),
        // Nodes are updated in order, so the last one shows whether an update is complete.
        settings: started.at(-1)?.settings ?? {},
      };
    },

    drift(spec, release, observed) {
      const serves = (node: Observed["nodes"][number]) => ({
        ...node,
        healthy: node.healthy || node.problem === isDegraded,
      });
      const live = observed === undefined ? undefined : { ...observed, nodes: observed.nodes.map(serves) };
      return driftFrom(serviceVariables(spec), { release, replicas: spec.replicas }, live);
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
      return nodes.map((node, index) => `${idOf(node)}:\n${tails[index]}`).join("\n");
    },
  };
}

export const localProvider: SeedAgentProvider = localSeedAgents();

interface Start {
  readonly installation: string;
  readonly main: string;
  readonly startMilliseconds: number;
  readonly version: string;
  readonly started: Omit<StartedNode, "version">;
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly tools: string | undefined;
  readonly onProgress: ((line: string) => void) | undefined;
}

/** The folder with bubblewrap. Without it the agent runs, but reports that and activates no change without approval. */
async function fenceTools(onProgress: ((line: string) => void) | undefined): Promise<string | undefined> {
  const found = await bubblewrapFolder();
  if ("folder" in found) return found.folder;
  onProgress?.(`warning: its code is not confined by bubblewrap: ${found.problem}`);
  return undefined;
}

/** Converges one node. @throws SeedAgentError with its log tail if it does not answer */
async function start(node: LocalNode, given: Start): Promise<void> {
  const { installation, main, startMilliseconds, version, started, variables, secrets, tools, onProgress } = given;
  const { port, release } = started;
  const url = urlOf(port);
  const isCurrent = stateOf(node).current && readStarted(node)?.version === version;
  if (isCurrent && (await whenAnswering(url, 5000, () => !stateOf(node).alive)).answers) return;
  await stopNode(node, installation);
  if (await isTaken(port)) {
    throw new SeedAgentError(`another program uses the port ${port} of ${idOf(node)}; end it, or write another port`);
  }
  for (const folder of [dirname(node.folder), node.folder, dirname(node.data), node.data]) ensureFolder(folder);
  writePrivateFile(node.secretsFile, `${JSON.stringify(secrets)}\n`);
  writeStarted(node, { ...started, version });
  const daemon = daemonOf(node, { installation, version, main, release, variables, tools });
  try {
    const { pid, supervisor } = await startDaemon(daemon);
    const found = await whenAnswering(url, startMilliseconds, () => !stateOf(node).alive);
    if (!found.answers) throw new Error(`it ${found.problem} at ${url}`);
    onProgress?.(`${idOf(node)} runs (pid ${pid}, kept running by ${supervisor}), and answers at ${url}`);
  } catch (error) {
    const log = masked(tailOf(node, 20).trim() || logTail(daemon), Object.values(secrets));
    // Otherwise its supervisor would start it again and again.
    await stopNode(node, installation);
    throw new SeedAgentError(`${idOf(node)} did not start: ${messageOf(error)}\n${log}`);
  }
}

async function stop(node: LocalNode, installation: string): Promise<void> {
  await stopNode(node, installation);
  rmSync(node.folder, { recursive: true, force: true, maxRetries: 3 });
}

async function stopNode(node: LocalNode, installation: string): Promise<void> {
  const { pid } = stateOf(node);
  await stopDaemon(daemonOf(node, { installation, version: "" }));
  // The process has released its lock, but may still write Node's compile cache to its folder.
  for (let waited = 0; pid !== undefined && isAlive(pid) && waited < endMs; waited += 20) await sleep(20);
}

function stateOf(node: LocalNode): DaemonState {
  return daemonState(placeOf(node, readStarted(node)?.version ?? ""));
}

async function observeNode(node: LocalNode): Promise<Observed["nodes"][number]> {
  const id = idOf(node);
  const started = readStarted(node);
  if (started === undefined) return { id, healthy: false, problem: "it was never started" };
  const state = stateOf(node);
  if (!state.alive) return { id, healthy: false, problem: "it does not run" };
  if (!state.current) return { id, healthy: false, problem: "it runs an older program" };
  const { healthy, problem } = await healthOf(urlOf(started.port));
  return { id, healthy, ...(problem === undefined ? {} : { problem }) };
}

function idOf({ name, number }: LocalNode): string {
  return `${name}-${number}`;
}

function tailOf({ logFile }: LocalNode, lines: number): string {
  return readTail(logFile, 256 * lines)
    .split("\n")
    .slice(-lines - 1)
    .join("\n");
}
