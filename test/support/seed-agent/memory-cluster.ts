import { createHash } from "node:crypto";
import { canonicalJson } from "../../../components/lib/json.ts";
import { type ConvergeOptions, converge } from "../../../components/seed-agent/program/cluster/converge.ts";
import type { Rollout } from "../../../components/seed-agent/program/cluster/rollout.ts";
import type { AuditEntry, NodeRecord, Version } from "../../../components/seed-agent/program/domain.ts";
import type { Live, Probation } from "../../../components/seed-agent/program/live/live.ts";
import { StoreUnavailable } from "../../../components/seed-agent/program/store/store.ts";

/** What the roll-out and the nodes use of a store, in memory, with the faults that tests need. */
export class MemoryStore {
  readonly versions = new Map<string, Version>();
  readonly records = new Map<string, NodeRecord>();
  readonly entries: AuditEntry[] = [];
  /** Orders in the order in which they were written: `a: v1`. */
  readonly orders: string[] = [];
  active = "v0";
  claimedBy: string | undefined;
  isAway = false;
  isHanging = false;
  /** Nodes that have not reported lately. */
  readonly gone = new Set<string>();
  readonly #listeners = new Set<() => void>();

  constructor(...ids: string[]) {
    for (const id of ids) this.versions.set(id, versionNamed(id));
  }

  async nodes(withinSeconds: number): Promise<readonly NodeRecord[]> {
    await this.#call();
    const all = [...this.records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return withinSeconds > 1000 ? all : all.filter(({ id }) => !this.gone.has(id));
  }

  async activeVersion(): Promise<string> {
    await this.#call();
    return this.active;
  }

  async version(id: string): Promise<Version | undefined> {
    await this.#call();
    return this.versions.get(id);
  }

  async report(node: Omit<NodeRecord, "seenAt" | "desired">): Promise<void> {
    await this.#call();
    const former = this.records.get(node.id);
    const desired = former?.desired;
    this.records.set(node.id, { ...node, desired, seenAt: new Date().toISOString() });
    if (JSON.stringify({ ...former, seenAt: "" }) !== JSON.stringify({ ...node, desired, seenAt: "" })) this.#tell();
  }

  async setDesired(node: string, version: string | undefined, by: { claimedBy: string }): Promise<boolean> {
    await this.#call();
    if (by.claimedBy !== this.claimedBy) return false;
    this.order(node, version);
    this.orders.push(`${node}: ${version}`);
    return true;
  }

  order(node: string, version: string | undefined): void {
    const record = this.records.get(node);
    if (record === undefined) throw new Error(`no node ${node}`);
    this.records.set(node, { ...record, desired: version });
    this.#tell();
  }

  /** As `updateChange` does at the end of a roll-out. */
  end(active: string): void {
    this.active = active;
    for (const [id, record] of this.records) this.records.set(id, { ...record, desired: undefined });
    this.#tell();
  }

  async audit(entry: Omit<AuditEntry, "number" | "at">): Promise<AuditEntry> {
    await this.#call();
    const written = { ...entry, number: this.entries.length + 1, at: new Date().toISOString() };
    this.entries.unshift(written);
    return written;
  }

  async auditLog({ change }: { change?: string }): Promise<readonly AuditEntry[]> {
    await this.#call();
    return this.entries.filter((entry) => entry.change === change);
  }

  subscribe(onNews: () => void): () => void {
    this.#listeners.add(onNews);
    return () => this.#listeners.delete(onNews);
  }

  async #call(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.isHanging) await new Promise(() => {});
    if (this.isAway) throw new StoreUnavailable("the database can't be reached");
  }

  #tell(): void {
    if (!this.isAway) for (const onNews of this.#listeners) onNews();
  }
}

export function versionNamed(id: string): Version {
  const sources = { "handle.ts": `export default () => "${id}";` };
  const hash = createHash("sha256").update(canonicalJson(sources)).digest("hex");
  return { id, hash, author: "owner", summary: id, createdAt: "2026-11-30T00:00:00.000Z", sources, bundle: id };
}

/** What versions do on a node: by default they start, and pass. */
export type Behaviour = "does not start" | "fails its probation" | "stays in probation" | "has a problem";

/** What a node runs, without processes. A probation takes two looks. */
export class MemoryLive implements Pick<Live, "active" | "activate" | "keep" | "revert" | "probation" | "problem"> {
  active: string;
  readonly behaviour: Partial<Record<string, Behaviour>>;
  /** What was called, in order. */
  readonly calls: string[] = [];
  #probation: (Probation & { looks: number }) | undefined;
  #count = 0;

  constructor(active = "v0", behaviour: Partial<Record<string, Behaviour>> = {}) {
    this.active = active;
    this.behaviour = behaviour;
  }

  async activate({ id }: Version): Promise<void> {
    this.calls.push(`activate ${id}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.behaviour[id] === "does not start") throw new Error("it does not start");
    if (this.active === id) return;
    const startedAt = ++this.#count;
    this.#probation = {
      ...{ version: id, former: this.active, state: "under way", startedAt, requests: 0, errors: 0, looks: 0 },
    };
    this.active = id;
  }

  async keep(): Promise<void> {
    this.calls.push(`keep ${this.active}`);
    if (this.#probation?.state === "under way") this.#probation = { ...this.#probation, state: "passed" };
  }

  async revert(reason: string): Promise<string> {
    this.calls.push(`revert ${this.active}`);
    if (this.#probation?.version !== this.active) return this.active;
    this.active = this.#probation.former;
    this.#probation = { ...this.#probation, state: "failed", reason };
    return this.active;
  }

  probation(): Probation | undefined {
    const now = this.#probation;
    if (now?.state !== "under way") return now;
    const behaviour = this.behaviour[now.version];
    if (behaviour === "stays in probation" || ++now.looks < 3) return now;
    const reason = "3 of 4 requests failed";
    this.#probation =
      behaviour === "fails its probation" ? { ...now, state: "failed", reason } : { ...now, state: "passed" };
    return this.#probation;
  }

  problem(): string | undefined {
    return this.behaviour[this.active] === "has a problem" ? "the disk is full" : undefined;
  }
}

export class MemoryCodeStore {
  readonly versions = new Map<string, Version>();

  async read(id: string): Promise<Version | undefined> {
    return this.versions.get(id);
  }

  async write(version: Version): Promise<void> {
    this.versions.set(version.id, version);
  }
}

/** A node with all its parts in memory, that looks often. */
export function memoryNode(
  id: string,
  store: MemoryStore,
  {
    live = new MemoryLive(),
    codeStore = new MemoryCodeStore(),
    ...more
  }: { live?: MemoryLive; codeStore?: MemoryCodeStore } & Partial<ConvergeOptions> = {},
) {
  const logged: string[] = [];
  const node = converge({
    node: id,
    firstVersion: async () => versionNamed("v0"),
    ...{ store, live, codeStore, events: { log: (_level, message) => void logged.push(message) } },
    ...{ pollMilliseconds: 20, probationMilliseconds: 2, storeMilliseconds: 200, retryMilliseconds: 40, ...more },
  });
  return { id, live, codeStore, node, logged };
}

/** The options of a roll-out whose leader has the claim. */
export function leaderOf(store: MemoryStore, node: string, more: Partial<Rollout> = {}): Rollout {
  store.claimedBy = node;
  return {
    ...{ store, node, change: "c1", pollMilliseconds: 10, watchMilliseconds: 10, nodeMilliseconds: 1000 },
    signal: new AbortController().signal,
    ...more,
  };
}
