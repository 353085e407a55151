import { statfs } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Cluster } from "../cluster/cluster.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { queueDepth } from "../pipeline/queue-depth.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";

/** The worker reports that it is alive every few seconds, also while it works. */
const maxSilentMilliseconds = 60_000;

/** How long a step of a change may take besides tests and probation, in ms. Nodes are updated one after another. */
const stepMilliseconds = 15 * 60_000;

/** @throws if nobody works on the queue */
export async function queue(
  pipeline: Pick<Pipeline, "lastBeat">,
  store: Pick<Store, "changes" | "countChanges" | "setting" | "now">,
  settings: Pick<Settings, "SEED_TEST_SECONDS" | "SEED_PROBATION_SECONDS">,
  monotonic = () => performance.now(),
): Promise<string> {
  const beat = pipeline.lastBeat();
  if (beat === undefined) throw new Error("the worker was not started");
  const silent = monotonic() - beat;
  if (silent > maxSilentMilliseconds) throw new Error(`the worker has been silent for ${Math.round(silent / 1000)} s`);
  const [now, paused, depth, begun] = await Promise.all([
    store.now(),
    store.setting("paused"),
    queueDepth(store),
    // Changes in other states wait for their turn, for however long that takes.
    store.changes({ states: ["checking", "rolling-out"], limit: 100 }),
  ]);
  const waiting = `${depth} ${depth === 1 ? "change" : "changes"} to work on`;
  if (paused === "true") return `paused; ${waiting}`;
  const limit = stepMilliseconds + (settings.SEED_TEST_SECONDS * 3 + settings.SEED_PROBATION_SECONDS) * 1000;
  const stuck = begun.filter(({ updatedAt }) => now - Date.parse(updatedAt) > limit);
  if (stuck.length > 0) {
    const words = stuck.slice(0, 5).map(({ id, state, updatedAt }) => `${id} has been ${state} since ${updatedAt}`);
    throw new Error(words.join(", "));
  }
  return waiting;
}

/** A version takes a few MB. */
const minBytes = 64 * 1024 * 1024;
const minFiles = 200;

/** @throws if a folder's file system has almost no space or inodes left */
export async function disk(folders: readonly string[]): Promise<string> {
  const left = await Promise.all(
    [...new Set(folders)].map(async (folder) => {
      const { bavail, bsize, files, ffree } = await statfs(folder);
      const bytes = bavail * bsize;
      const text = `${folder}: ${Math.floor(bytes / 1024 / 1024)} MiB free`;
      // Some file systems don't count inodes, and report 0.
      if (bytes < minBytes || (files > 0 && ffree < minFiles)) throw new Error(`${text}, ${ffree} inodes`);
      return text;
    }),
  );
  return left.join(", ");
}

/** How often the lag is measured, in ms. Each measurement wakes the process up. */
const resolution = 100;
const maxLagMilliseconds = 1000;
const minSamples = 50;

/** Measures how late timers fire, from one check to the next. */
export function eventLoop() {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  return {
    /** @throws if the process can't keep up */
    check(): string {
      if (delays.count < minSamples) return "too few samples so far";
      const lag = Math.max(0, delays.percentile(99) / 1e6 - resolution);
      delays.reset();
      const text = `p99 of the lag: ${Math.round(lag)} ms`;
      if (lag > maxLagMilliseconds) throw new Error(text);
      return text;
    },
    close: () => void delays.disable(),
  };
}

/** @throws if peers can't be found, don't answer, have another cookie, or report a problem */
export function peers(
  { DNS_CLUSTER_QUERY, SEED_PEERS }: Pick<Settings, "DNS_CLUSTER_QUERY" | "SEED_PEERS">,
  cluster: Pick<Cluster, "node" | "peers" | "problem" | "view">,
): string {
  const own = cluster.problem();
  if (DNS_CLUSTER_QUERY === undefined && SEED_PEERS === undefined) {
    if (own !== undefined) throw new Error(own);
    return "one node: DNS_CLUSTER_QUERY is not set";
  }
  const { nodes, cutOffSince } = cluster.view();
  const found = cluster.peers();
  const problems = [
    ...(own === undefined ? [] : [own]),
    ...(cutOffSince === undefined ? [] : [`cut off from the database since ${new Date(cutOffSince).toISOString()}`]),
    ...found.flatMap(({ address, problem }) => (problem === undefined ? [] : [`${address}: ${problem}`])),
    ...nodes.flatMap(({ id, problem }) => (problem === undefined || id === cluster.node ? [] : [`${id}: ${problem}`])),
  ];
  if (problems.length > 0) throw new Error(problems.join("; "));
  return `${found.length} ${found.length === 1 ? "peer" : "peers"}`;
}
