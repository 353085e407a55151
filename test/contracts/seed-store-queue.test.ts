import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChangeState, claimableStates, endStates } from "../../components/seed-agent/program/domain.ts";
import type { ChangePatch, Store } from "../../components/seed-agent/program/store/store.ts";
import { submission, useDatabases } from "../support/seed-store-lab.ts";

const runs = Number(process.env["SEED_STORE_RUNS"] ?? 15);
const nodes = ["n1", "n2", "n3"] as const;

/** What a node does with the queue. `passes`: a lease is over. */
type Step =
  | { readonly do: "submit" }
  | { readonly do: "claim" | "renew" | "crash"; readonly node: string }
  | { readonly do: "update"; readonly node: string; readonly state: ChangeState }
  | { readonly do: "approve" }
  | { readonly do: "passes" };

const node = fc.constantFrom(...nodes);
const states = fc.constantFrom<ChangeState>("waiting", "approved", "active", "rejected", "rolled-back", "failed");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>({ do: "submit" }),
  fc.record({ do: fc.constantFrom("claim", "claim", "renew"), node }),
  fc.record({ do: fc.constant("update" as const), node, state: states }),
  fc.constant<Step>({ do: "approve" }),
  fc.constant<Step>({ do: "passes" }),
);

interface Entry {
  state: ChangeState;
  claimedBy: string | undefined;
  isLive: boolean;
  attempts: number;
}

/** The queue as the contract describes it. */
class Model {
  readonly entries: Entry[] = [];
  active: number | undefined;

  claimedBy(of: string): number {
    return this.entries.findIndex(({ claimedBy }) => claimedBy === of);
  }

  claim(by: string): number {
    if (this.entries.some(({ isLive, claimedBy }) => isLive && claimedBy !== undefined && claimedBy !== by)) return -1;
    const order: readonly ChangeState[] = ["rolling-out", "approved", "checking", "queued"];
    const first = order.find((state) => this.entries.some((entry) => entry.state === state));
    const at = this.entries.findIndex(({ state }) => state === first);
    const entry = this.entries[at];
    if (entry === undefined) return -1;
    for (const each of this.entries) each.claimedBy = undefined;
    const begun: Partial<Record<ChangeState, ChangeState>> = { queued: "checking", approved: "rolling-out" };
    const state = begun[entry.state] ?? entry.state;
    Object.assign(entry, { claimedBy: by, isLive: true, attempts: entry.attempts + 1, state });
    return at;
  }
}

async function play(store: Store, steps: readonly Step[]): Promise<void> {
  const model = new Model();
  // "passes" is immediate: leases are short, and those that have not passed are long.
  const [long, over] = [3600, -1];
  for (const each of steps) {
    if (each.do === "submit") {
      model.entries.push({ state: "queued", claimedBy: undefined, isLive: false, attempts: 0 });
      expect((await store.submit(submission)).id).toBe(`c${model.entries.length}`);
    } else if (each.do === "claim") {
      const expected = model.claim(each.node);
      expect((await store.claim(each.node, long))?.id).toBe(expected < 0 ? undefined : `c${expected + 1}`);
    } else if (each.do === "renew") {
      for (const [at, entry] of model.entries.entries()) {
        const isHeld = entry.claimedBy === each.node;
        expect(await store.renewClaim(`c${at + 1}`, each.node, long)).toBe(isHeld);
        if (isHeld) entry.isLive = true;
      }
    } else if (each.do === "passes") {
      for (const [at, entry] of model.entries.entries()) {
        if (entry.claimedBy === undefined) continue;
        await store.renewClaim(`c${at + 1}`, entry.claimedBy, over);
        entry.isLive = false;
      }
    } else if (each.do === "approve") {
      const at = model.entries.findIndex(({ state }) => state === "waiting");
      const expected = at < 0 ? undefined : "approved";
      const patch: ChangePatch = { state: "approved", approvedBy: "owner" };
      expect((await store.updateChange(`c${at + 1}`, ["waiting"], patch))?.state).toBe(expected);
      const entry = model.entries[at];
      if (entry !== undefined) entry.state = "approved";
    } else if (each.do === "update") {
      const at = Math.max(0, model.claimedBy(each.node));
      const entry = model.entries[at];
      const isHeld = entry?.claimedBy === each.node;
      const patch: ChangePatch = {
        ...{ state: each.state, claimedBy: each.node, version: `v${at + 1}` },
        ...(each.state === "rolled-back" ? { activeVersion: "v0" } : {}),
      };
      const written = await store.updateChange(`c${at + 1}`, claimableStates, patch);
      expect(written?.state).toBe(isHeld ? each.state : undefined);
      if (!isHeld || entry === undefined) continue;
      entry.state = each.state;
      if (each.state === "active") model.active = at + 1;
      if (each.state === "rolled-back") model.active = 0;
      if (["waiting", "approved"].includes(each.state) || endStates.includes(each.state)) entry.claimedBy = undefined;
    }
  }
  const found = await store.changes({ limit: 1000 });
  expect(found.toReversed().map(({ state, attempts }) => ({ state, attempts }))).toEqual(
    model.entries.map(({ state, attempts }) => ({ state, attempts })),
  );
  expect(await store.activeVersion()).toBe(model.active === undefined ? undefined : `v${model.active}`);
}

describe.for(["sqlite", "postgres"] as const)("the queue on %s", (kind) => {
  const databases = useDatabases(kind);

  it("follows the contract, whatever nodes do in any order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: "max" }), async (steps) => {
        const { open } = await databases.lab();
        const store = await open();
        try {
          await play(store, steps);
        } finally {
          await store.close();
        }
      }),
      { numRuns: runs },
    );
  });

  it("hands each change to one node at a time, in order, while all nodes work at once", async () => {
    const { open } = await databases.lab();
    const stores = await Promise.all(nodes.map(() => open()));
    const total = 20;
    const working = new Set<string>();
    const done: string[] = [];
    const worker = async (store: Store, name: string) => {
      while (done.length < total) {
        const change = await store.claim(name, 3600);
        if (change === undefined) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          continue;
        }
        working.add(change.id);
        expect([...working]).toEqual([change.id]);
        await store.audit({ node: name, actor: "system", action: "checked", change: change.id });
        expect(await store.renewClaim(change.id, name, 3600)).toBe(true);
        working.delete(change.id);
        done.push(change.id);
        const ended = await store.updateChange(change.id, ["checking"], { state: "rejected", claimedBy: name });
        expect(ended?.state).toBe("rejected");
      }
    };
    const submitting = (async () => {
      const [first] = stores;
      for (let count = 0; count < total; count += 1) await first?.submit(submission);
    })();
    await Promise.all([submitting, ...stores.map((store, at) => worker(store, `n${at}`))]);
    expect(done).toEqual(Array.from({ length: total }, (_, at) => `c${at + 1}`));
  });

  it("gives the change of a dead node to another one after the lease", async () => {
    const { open } = await databases.lab();
    const [one, other] = [await open(), await open()];
    await one.submit(submission);
    expect(await one.claim("n1", 0.3)).toMatchObject({ id: "c1", attempts: 1 });
    expect(await one.claim("n1", 0.3)).toMatchObject({ id: "c1", attempts: 2 });
    expect(await other.claim("n2", 60)).toBeUndefined();
    await expect.poll(() => other.claim("n2", 60)).toMatchObject({ id: "c1", state: "checking", attempts: 3 });
    expect(await one.renewClaim("c1", "n1", 60)).toBe(false);
    expect(
      await one.updateChange("c1", ["checking"], { state: "active", version: "v1", claimedBy: "n1" }),
    ).toBeUndefined();
    expect(await one.setDesired("n1", "v1", { change: "c1", claimedBy: "n1" })).toBe(false);
    expect(await one.activeVersion()).toBeUndefined();
  });

  it("makes a version active, and clears the nodes' orders, in one transaction", async () => {
    const { open } = await databases.lab();
    const store = await open();
    await store.report({ id: "n1", active: "v0" });
    await store.submit({ ...submission, version: "v4" });
    await store.claim("n1", 60);
    const by = { change: "c1", claimedBy: "n1" };
    const state = async () => ({ active: await store.activeVersion(), desired: (await store.nodes(60))[0]?.desired });
    await store.setDesired("n1", "v4", by);
    expect(await state()).toEqual({ active: undefined, desired: "v4" });
    await store.updateChange("c1", ["rolling-out"], { state: "active", claimedBy: "n1" });
    expect(await state()).toEqual({ active: "v4", desired: undefined });
    // A change that has become no version can't be active, and nothing of it is written.
    await store.submit(submission);
    await expect(store.updateChange("c2", ["queued"], { state: "active", reason: "x" })).rejects.toThrow("no version");
    expect(await store.change("c2")).toMatchObject({ state: "queued" });
    expect((await store.change("c2"))?.reason).toBeUndefined();
  });

  it("loses no write of 20 clients at once", async () => {
    const { open } = await databases.lab();
    const stores = await Promise.all(Array.from({ length: 20 }, () => open()));
    const written = await Promise.all(
      stores.flatMap((store, at) => [
        store.submit(submission).then(({ id }) => id),
        store.audit({ node: `n${at}`, actor: "owner", action: "submitted" }).then(({ number }) => `a${number}`),
        store.addVersion({ hash: "", author: "", summary: "", sources: {}, bundle: "" }, "c1").then(({ id }) => id),
      ]),
    );
    const all = (letter: string, count: number) => Array.from({ length: count }, (_, at) => `${letter}${at + 1}`);
    expect(new Set(written)).toEqual(new Set([...all("c", 20), ...all("a", 20), "v1"]));
    // Each reads, adds one, and writes if nobody else did.
    const addOne = async (store: Store) => {
      for (;;) {
        const before = (await store.stateGet(["count"]))["count"] ?? null;
        if (await store.stateSet({ count: String(Number(before) + 1) }, { count: before })) return;
      }
    };
    await Promise.all(stores.map(addOne));
    expect(await stores[0]?.stateGet(["count"])).toEqual({ count: "20" });
    const races = await Promise.all(stores.map((store, at) => store.setSetting("leader", `n${at}`)));
    expect(races.filter((won) => won)).toHaveLength(1);
  });

  it("has one leader of a role, and another one after it", async () => {
    const { open } = await databases.lab();
    const [one, other] = [await open(), await open()];
    const began = Promise.withResolvers<void>();
    const end = Promise.withResolvers<string>();
    const first = one.leading("roll-out", async () => {
      began.resolve();
      return await end.promise;
    });
    await began.promise;
    expect(await other.leading("roll-out", async () => "led too")).toBeUndefined();
    expect(await other.leading("another role", async () => "led")).toBe("led");
    end.resolve("was first");
    expect(await first).toBe("was first");
    await expect.poll(() => other.leading("roll-out", async () => "led next")).toBe("led next");
    await expect(one.leading("roll-out", () => Promise.reject(new Error("it failed")))).rejects.toThrow("it failed");
    await expect.poll(() => other.leading("roll-out", async () => "led again")).toBe("led again");
  });

  it("notifies every node", async () => {
    const { open } = await databases.lab();
    const [one, other] = [await open(), await open()];
    let news = 0;
    const unsubscribe = other.subscribe(() => {
      news += 1;
    });
    await other.check();
    const heard = async (change: () => Promise<unknown>) => {
      const before = news;
      await change();
      // Well before the poll.
      await expect.poll(() => news, { timeout: 4000, interval: 5 }).toBeGreaterThan(before);
    };
    // PostgreSQL's connection for news is made in the background.
    await expect.poll(() => one.submit(submission).then(() => news), { interval: 20 }).toBeGreaterThan(0);
    await heard(() => one.claim("n1", 60));
    await heard(() => one.updateChange("c1", ["checking"], { state: "waiting" }));
    await heard(() => one.report({ id: "n1", active: "v0" }));
    await heard(() => one.setSetting("paused", "yes"));
    unsubscribe();
    const before = news;
    await one.submit(submission);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(news).toBe(before);
  });
});
