import type { NodeRecord } from "../domain.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import type { RolloutOptions, RolloutResult } from "./cluster.ts";
import { newsOf } from "./news.ts";

/** A node that has not reported for this long, by the database's clock, does not take part. Nodes report every 3 s. */
export const livingSeconds = 20;
/** Long enough for every node that has ever been. */
export const everSeconds = 10 * 365 * 86_400;
/** The audit log's entry of the decision to roll back; a leader that takes over goes on with it. */
const decision = "rolling-back";

export interface Rollout extends RolloutOptions {
  readonly store: Pick<Store, "nodes" | "setDesired" | "subscribe" | "audit" | "auditLog">;
  /** The leader's own. */
  readonly node: string;
  /** How often the nodes' records are read if no news arrives, in ms. */
  readonly pollMilliseconds?: number;
}

/**
 * Rolls a version out, node by node, and back on all nodes if one is not healthy. The leader's node is the first, in its
 * full probation. Re-entrant: orders and decisions are in the store, so after a crash the next leader calls it again with
 * the same arguments, and it goes on, or goes on rolling back.
 *
 * The orders (`desired`) stay until the caller ends the change by `store.updateChange`, which clears them.
 */
export async function rollOut(version: string, former: string, options: Rollout): Promise<RolloutResult> {
  if (version === former) return { outcome: "active", nodes: [] };
  const news = newsOf(options.store, options.signal, options.pollMilliseconds ?? 500);
  try {
    const way = { version, former, options, news: () => pause(news.next(), options.signal) };
    const unhealthy = (await decided(options)) ?? (await forward(way));
    if ("nodes" in unhealthy) return { outcome: "active", nodes: unhealthy.nodes };
    await decide(way, unhealthy);
    await back(way, unhealthy);
    return { outcome: "rolled-back", ...unhealthy };
  } catch (error) {
    if (!(error instanceof Interrupted) && !(error instanceof StoreUnavailable) && !options.signal.aborted) throw error;
    return { outcome: "interrupted", reason: error instanceof Error ? error.message : String(error) };
  } finally {
    news.close();
  }
}

interface Way {
  readonly version: string;
  readonly former: string;
  readonly options: Rollout;
  /** Until something may have changed. */
  readonly news: () => Promise<void>;
}

interface Unhealthy {
  readonly node: string;
  readonly reason: string;
}

/** The leadership was lost. */
class Interrupted extends Error {}

async function pause(next: Promise<void>, signal: AbortSignal): Promise<void> {
  await next;
  if (signal.aborted) throw new Interrupted("this node no longer leads the roll-out");
}

async function forward(way: Way): Promise<{ readonly nodes: readonly string[] } | Unhealthy> {
  const { version, options, news } = way;
  const clock = watch(way);
  for (;;) {
    const { nodes, living } = await look(options.store);
    const ordered = nodes.filter(({ desired }) => desired === version);
    for (const node of ordered) {
      const reason = clock.complaint(node, living.has(node.id));
      if (reason !== undefined) return { node: node.id, reason };
    }
    const isProved = ordered.some((node) => runs(node, version) && node.probation !== "under way");
    const next = nodes
      .filter(({ id, desired }) => desired !== version && living.has(id))
      .sort((a, b) => Number(b.id === options.node) - Number(a.id === options.node) || (a.id < b.id ? -1 : 1))
      .at(0);
    if (ordered.length > 0 && !(isProved && ordered.every((node) => clock.isSettled(node, living.has(node.id))))) {
      await news();
    } else if (next !== undefined) await order(next.id, version, options);
    else if (ordered.length > 0) return { nodes: ordered.map(({ id }) => id).sort() };
    // Not even the leader's own node has reported lately: the database was away, for one.
    else await news();
  }
}

/** Judges nodes that were ordered to run the version, by this machine's monotonic clock. */
function watch({ version, options: { nodeMilliseconds, watchMilliseconds } }: Way) {
  const since = { away: new Map<string, number>(), well: new Map<string, number>() };
  const elapsed = (map: Map<string, number>, id: string) => performance.now() - (map.get(id) ?? Number.NaN);
  return {
    /** Why the node is unhealthy for good, in words. */
    complaint(node: NodeRecord, isLiving: boolean): string | undefined {
      const isWell = isLiving && runs(node, version);
      const [to, from] = isWell ? [since.well, since.away] : [since.away, since.well];
      from.delete(node.id);
      if (!to.has(node.id)) to.set(node.id, performance.now());
      if (node.failed === version) return node.problem ?? `it does not run ${version}`;
      if (node.active === version && node.probation === "failed") return node.problem ?? "it failed its probation";
      if (isWell || elapsed(since.away, node.id) < nodeMilliseconds) return undefined;
      if (!isLiving) return `it has not been seen since it was to run ${version}`;
      return node.problem ?? `it still runs ${node.active} after ${Math.round(nodeMilliseconds / 1000)} s`;
    },
    isSettled(node: NodeRecord, isLiving: boolean): boolean {
      if (!isLiving || !runs(node, version)) return false;
      return node.probation !== "under way" || elapsed(since.well, node.id) >= watchMilliseconds;
    },
  };
}

function runs(node: NodeRecord, version: string): boolean {
  return node.active === version && node.problem === undefined;
}

async function look(store: Rollout["store"]) {
  const nodes = await store.nodes(everSeconds);
  const living = new Set((await store.nodes(livingSeconds)).map(({ id }) => id));
  return { nodes, living };
}

async function order(node: string, version: string, { store, change, node: claimedBy, signal }: Rollout) {
  if (signal.aborted) throw new Interrupted("this node no longer leads the roll-out");
  if (await store.setDesired(node, version, { change, claimedBy })) return;
  throw new Interrupted(`${claimedBy} no longer has ${change}`);
}

/** What an earlier leader of this roll-out decided. */
async function decided({ store, change }: Rollout): Promise<Unhealthy | undefined> {
  const entries = await store.auditLog({ change, limit: 100 });
  const entry = entries.find(({ action }) => action === decision);
  if (entry === undefined) return undefined;
  const node = entry.data?.["node"];
  return { node: typeof node === "string" ? node : entry.node, reason: entry.detail ?? "no reason was recorded" };
}

/** Sets all nodes back, the unhealthy one first, and waits for those that live, as long as one node may take. */
async function back(way: Way, unhealthy: Unhealthy): Promise<void> {
  const { version, former, options, news } = way;
  const isAffected = (node: NodeRecord) => node.desired === version || node.active === version;
  const until = performance.now() + options.nodeMilliseconds;
  for (;;) {
    const { nodes, living } = await look(options.store);
    const affected = nodes
      .filter((node) => node.desired !== former && (isAffected(node) || living.has(node.id)))
      .sort((a, b) => Number(b.id === unhealthy.node) - Number(a.id === unhealthy.node));
    for (const { id } of affected) await order(id, former, options);
    const isBack = (node: NodeRecord) =>
      node.failed === former || (node.active === former && node.failed !== version && node.desired === former);
    if (nodes.every((node) => !living.has(node.id) || isBack(node)) || performance.now() >= until) return;
    await news();
  }
}

/** Before the first order, so that a leader that takes over knows it, and the reason. */
async function decide({ version, options }: Way, { node, reason }: Unhealthy): Promise<void> {
  const { store, change } = options;
  if ((await decided(options)) !== undefined) return;
  const entry = { node: options.node, actor: "system", action: decision, change, version };
  await store.audit({ ...entry, detail: `${node}: ${reason}`, data: { node } });
}
