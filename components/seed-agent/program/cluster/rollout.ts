import { messageOf } from "../../../lib/as-error.ts";
import type { NodeRecord } from "../domain.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import type { RolloutOptions, RolloutResult } from "./cluster.ts";
import { notificationsOf } from "./notifications.ts";

/** A node that has not reported for this long, by the database's clock, counts as dead. Nodes report every 3 s. */
export const livingSeconds = 20;
/** Long enough to include every node that the store has a record of. */
export const everSeconds = 10 * 365 * 86_400;
/** The action in the audit log of the decision to roll back. A leader that takes over continues the rollback. */
const rollingBack = "rolling-back";

export interface Rollout extends RolloutOptions {
  readonly store: Pick<Store, "nodes" | "setDesired" | "subscribe" | "audit" | "auditLog">;
  /** The leader's own id. */
  readonly node: string;
  /** How often the nodes' records are read without a notification, in ms. */
  readonly pollMilliseconds?: number;
}

/**
 * Rolls a version out node by node, and back on all nodes if one of them is unhealthy. The leader's node is the first, and
 * is watched for the whole probation. Re-entrant: orders and decisions are in the store. After a crash the next leader calls
 * this again with the same arguments, and it continues the roll-out or the rollback.
 *
 * The orders (`desired`) stay until the caller ends the change by `store.updateChange`, which clears them.
 */
export async function rollOut(version: string, former: string, options: Rollout): Promise<RolloutResult> {
  if (version === former) return { outcome: "active", nodes: [] };
  const notifications = notificationsOf(options.store, options.signal, options.pollMilliseconds ?? 500);
  try {
    const context = { version, former, options, changed: () => pause(notifications.next(), options.signal) };
    const unhealthy = (await recordedDecision(options)) ?? (await rollForward(context));
    if ("nodes" in unhealthy) return { outcome: "active", nodes: unhealthy.nodes };
    await recordDecision(context, unhealthy);
    await rollBack(context, unhealthy);
    return { outcome: "rolled-back", ...unhealthy };
  } catch (error) {
    if (!(error instanceof Interrupted) && !(error instanceof StoreUnavailable) && !options.signal.aborted) throw error;
    return { outcome: "interrupted", reason: messageOf(error) };
  } finally {
    notifications.close();
  }
}

interface Context {
  readonly version: string;
  readonly former: string;
  readonly options: Rollout;
  /** Waits until something may have changed in the store. */
  readonly changed: () => Promise<void>;
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

async function rollForward(context: Context): Promise<{ readonly nodes: readonly string[] } | Unhealthy> {
  const { version, options, changed } = context;
  const watch = nodeWatch(context);
  for (;;) {
    const { nodes, living } = await readNodes(options.store);
    const ordered = nodes.filter(({ desired }) => desired === version);
    for (const node of ordered) {
      const reason = watch.unhealthyReason(node, living.has(node.id));
      if (reason !== undefined) return { node: node.id, reason };
    }
    const hasPassed = ordered.some((node) => runs(node, version) && node.probation !== "under way");
    const next = nodes
      .filter(({ id, desired }) => desired !== version && living.has(id))
      .sort((a, b) => Number(b.id === options.node) - Number(a.id === options.node) || (a.id < b.id ? -1 : 1))
      .at(0);
    if (ordered.length > 0 && !(hasPassed && ordered.every((node) => watch.isStable(node, living.has(node.id))))) {
      await changed();
    } else if (next !== undefined) await order(next.id, version, options);
    else if (ordered.length > 0) return { nodes: ordered.map(({ id }) => id).sort() };
    // Not even the leader's own node has reported lately, for instance because the database could not be reached.
    else await changed();
  }
}

/** Times nodes that were ordered to run the version, by this machine's monotonic clock. */
function nodeWatch({ version, options: { nodeMilliseconds, watchMilliseconds } }: Context) {
  const since = { unhealthy: new Map<string, number>(), healthy: new Map<string, number>() };
  const elapsed = (map: Map<string, number>, id: string) => performance.now() - (map.get(id) ?? Number.NaN);
  return {
    /** @returns why the node fails the roll-out; undefined while it is healthy, or has time left to become healthy */
    unhealthyReason(node: NodeRecord, isLiving: boolean): string | undefined {
      const isHealthy = isLiving && runs(node, version);
      const [to, from] = isHealthy ? [since.healthy, since.unhealthy] : [since.unhealthy, since.healthy];
      from.delete(node.id);
      if (!to.has(node.id)) to.set(node.id, performance.now());
      if (node.failed === version) return node.problem ?? `it does not run ${version}`;
      if (node.active === version && node.probation === "failed") return node.problem ?? "it failed its probation";
      if (isHealthy || elapsed(since.unhealthy, node.id) < nodeMilliseconds) return undefined;
      if (!isLiving) return `it has not been seen since it was to run ${version}`;
      return node.problem ?? `it still runs ${node.active} after ${Math.round(nodeMilliseconds / 1000)} s`;
    },
    isStable(node: NodeRecord, isLiving: boolean): boolean {
      if (!isLiving || !runs(node, version)) return false;
      return node.probation !== "under way" || elapsed(since.healthy, node.id) >= watchMilliseconds;
    },
  };
}

function runs(node: NodeRecord, version: string): boolean {
  return node.active === version && node.problem === undefined;
}

async function readNodes(store: Rollout["store"]) {
  const nodes = await store.nodes(everSeconds);
  const living = new Set((await store.nodes(livingSeconds)).map(({ id }) => id));
  return { nodes, living };
}

async function order(node: string, version: string, { store, change, node: claimedBy, signal }: Rollout) {
  if (signal.aborted) throw new Interrupted("this node no longer leads the roll-out");
  if (await store.setDesired(node, version, { change, claimedBy })) return;
  throw new Interrupted(`${claimedBy} no longer has ${change}`);
}

/** @returns why an earlier leader of this roll-out decided to roll back; undefined if none did */
async function recordedDecision({ store, change }: Rollout): Promise<Unhealthy | undefined> {
  const entries = await store.auditLog({ change, limit: 100 });
  const entry = entries.find(({ action }) => action === rollingBack);
  if (entry === undefined) return undefined;
  const node = entry.data?.["node"];
  return { node: typeof node === "string" ? node : entry.node, reason: entry.detail ?? "no reason was recorded" };
}

/** Orders all nodes to return, the unhealthy one first, and waits for live ones for as long as one node may take. */
async function rollBack(context: Context, unhealthy: Unhealthy): Promise<void> {
  const { version, former, options, changed } = context;
  const isAffected = (node: NodeRecord) => node.desired === version || node.active === version;
  const until = performance.now() + options.nodeMilliseconds;
  for (;;) {
    const { nodes, living } = await readNodes(options.store);
    const affected = nodes
      .filter((node) => node.desired !== former && (isAffected(node) || living.has(node.id)))
      .sort((a, b) => Number(b.id === unhealthy.node) - Number(a.id === unhealthy.node));
    for (const { id } of affected) await order(id, former, options);
    const isBack = (node: NodeRecord) =>
      node.failed === former || (node.active === former && node.failed !== version && node.desired === former);
    if (nodes.every((node) => !living.has(node.id) || isBack(node)) || performance.now() >= until) return;
    await changed();
  }
}

/** Called before the first order to return, so that a leader that takes over knows the decision and its reason. */
async function recordDecision({ version, options }: Context, { node, reason }: Unhealthy): Promise<void> {
  const { store, change } = options;
  if ((await recordedDecision(options)) !== undefined) return;
  const entry = { node: options.node, actor: "system", action: rollingBack, change, version };
  await store.audit({ ...entry, detail: `${node}: ${reason}`, data: { node } });
}
