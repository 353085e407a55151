import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { rollOut } from "../../../../components/seed-agent/program/cluster/rollout.ts";
import {
  type Behaviour,
  leaderOf,
  MemoryLive,
  MemoryStore,
  memoryNode,
} from "../../../support/seed-agent/memory-cluster.ts";

type Node = ReturnType<typeof memoryNode>;
let running: Node[] = [];
afterEach(async () => {
  await Promise.all(running.map(({ node }) => node.stop()));
  running = [];
});

/** Starts the nodes and waits until each has reported. */
async function fleet(store: MemoryStore, nodes: Record<string, Partial<Record<string, Behaviour>>>): Promise<Node[]> {
  const started = Object.entries(nodes).map(([id, behaviour]) =>
    memoryNode(id, store, { live: new MemoryLive("v0", behaviour) }),
  );
  for (const { node } of started) node.start();
  running.push(...started);
  await expect.poll(() => store.records.size, { interval: 5 }).toBe(started.length);
  return started;
}

const actives = (nodes: readonly Node[]) => nodes.map(({ live }) => live.active);

test("rolls out node by node, the leader's own first, and the others by id", async () => {
  const store = new MemoryStore("v1");
  const nodes = await fleet(store, { a: {}, b: {}, c: {} });
  expect(await rollOut("v1", "v0", leaderOf(store, "b"))).toEqual({ outcome: "active", nodes: ["a", "b", "c"] });
  expect(store.orders).toEqual(["b: v1", "a: v1", "c: v1"]);
  expect(actives(nodes)).toEqual(["v1", "v1", "v1"]);
});

test("begins with the first node by id if the leader is not a member", async () => {
  const store = new MemoryStore("v1");
  await fleet(store, { a: {}, b: {} });
  await rollOut("v1", "v0", leaderOf(store, "elsewhere"));
  expect(store.orders).toEqual(["a: v1", "b: v1"]);
});

test("orders no second node while the first is in probation", async () => {
  const store = new MemoryStore("v1");
  const [first] = await fleet(store, { a: { v1: "stays in probation" }, b: {} });
  const leader = new AbortController();
  const result = rollOut("v1", "v0", leaderOf(store, "a", { signal: leader.signal }));
  await expect.poll(() => first?.live.active).toBe("v1");
  await expect.poll(() => store.records.get("a")?.probation).toBe("under way");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(store.orders).toEqual(["a: v1"]);
  leader.abort();
  expect(await result).toMatchObject({ outcome: "interrupted" });
});

test("watches the other nodes for a shorter time", async () => {
  const store = new MemoryStore("v1");
  await fleet(store, { a: {}, b: { v1: "stays in probation" }, c: {} });
  expect(await rollOut("v1", "v0", leaderOf(store, "a"))).toMatchObject({ outcome: "active" });
});

test.each([
  ["does not start", "it does not start"],
  ["fails its probation", "3 of 4 requests failed"],
  ["has a problem", "the disk is full"],
] as const)(
  "stops at a node where the version %s, and returns all nodes to the former one",
  async (behaviour, words) => {
    const store = new MemoryStore("v1");
    const nodes = await fleet(store, { a: {}, b: { v1: behaviour }, c: {} });
    const options = leaderOf(store, "a", { watchMilliseconds: 500 });
    expect(await rollOut("v1", "v0", options)).toEqual({
      outcome: "rolled-back",
      node: "b",
      reason: expect.stringContaining(words),
    });
    expect(store.orders.filter((order) => order === "c: v1")).toEqual([]);
    expect(actives(nodes)).toEqual(["v0", "v0", "v0"]);
    store.end("v0");
    await expect.poll(() => [...store.records.values()].filter(({ problem, failed }) => problem ?? failed)).toEqual([]);
  },
);

test("stops at a node that disappeared", async () => {
  const store = new MemoryStore("v1");
  const [, second] = await fleet(store, { a: {}, b: {} });
  await second?.node.stop();
  const options = leaderOf(store, "a", { nodeMilliseconds: 500 });
  expect(await rollOut("v1", "v0", options)).toMatchObject({
    outcome: "rolled-back",
    node: "b",
    reason: expect.stringMatching(/still runs v0/),
  });
});

test("leaves out dead nodes, and includes one that comes late", async () => {
  const store = new MemoryStore("v1");
  const [, , late] = await fleet(store, { a: {}, b: { v1: "stays in probation" }, c: {} });
  await late?.node.stop();
  store.gone.add("c");
  const result = rollOut("v1", "v0", leaderOf(store, "a", { watchMilliseconds: 200 }));
  await expect.poll(() => store.orders).toContain("b: v1");
  const returned = memoryNode("c", store);
  running.push(returned);
  returned.node.start();
  store.gone.delete("c");
  expect(await result).toEqual({ outcome: "active", nodes: ["a", "b", "c"] });
  expect(returned.live.active).toBe("v1");
});

test("does not mistake a node's report about an earlier attempt for a new failure", async () => {
  const store = new MemoryStore("v1");
  const behaviour: Partial<Record<string, Behaviour>> = { v1: "does not start" };
  await fleet(store, { a: behaviour });
  expect(await rollOut("v1", "v0", leaderOf(store, "a"))).toMatchObject({ outcome: "rolled-back" });
  store.end("v0");
  delete behaviour.v1;
  expect(await rollOut("v1", "v0", leaderOf(store, "a", { change: "c2" }))).toMatchObject({ outcome: "active" });
});

test("orders nothing after another node has claimed the change", async () => {
  const store = new MemoryStore("v1");
  await fleet(store, { a: {}, b: {} });
  const options = leaderOf(store, "a");
  store.claimedBy = "b";
  expect(await rollOut("v1", "v0", options)).toEqual({ outcome: "interrupted", reason: "a no longer has c1" });
  expect(store.orders).toEqual([]);
});

test("is interrupted when the store can't be reached", async () => {
  const store = new MemoryStore("v1");
  await fleet(store, { a: { v1: "stays in probation" } });
  const result = rollOut("v1", "v0", leaderOf(store, "a"));
  await expect.poll(() => store.orders).toEqual(["a: v1"]);
  store.isAway = true;
  expect(await result).toEqual({ outcome: "interrupted", reason: "the database can't be reached" });
});

test("continues the roll-out or the rollback wherever a leader was interrupted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }),
      fc.constantFrom(undefined, "a", "b", "c"),
      fc.constantFrom<Behaviour[]>("does not start", "fails its probation"),
      async (crashes, bad, behaviour) => {
        const store = new MemoryStore("v1");
        const names = ["a", "b", "c"];
        const nodes = await fleet(
          store,
          Object.fromEntries(names.map((name) => [name, name === bad ? { v1: behaviour } : {}])),
        );
        let decidedAt: number | undefined;
        for (const [index, calls] of crashes.entries()) {
          const options = leaderOf(store, names[index % 3] ?? "a", { watchMilliseconds: 500 });
          await rollOut("v1", "v0", { ...options, store: dying(store, calls) }).catch(() => {});
          if (store.entries.length > 0) decidedAt ??= store.orders.length;
        }
        const result = await rollOut("v1", "v0", leaderOf(store, "c", { watchMilliseconds: 500 }));
        expect(result.outcome).toBe(bad === undefined ? "active" : "rolled-back");
        if (bad !== undefined) {
          expect(result).toMatchObject({ node: bad });
          // No node is ordered to go forward once it was decided to roll back.
          expect(store.orders.slice(decidedAt ?? store.orders.length)).not.toContain(expect.stringMatching(/v1$/));
        }
        expect(actives(nodes)).toEqual(names.map(() => (bad === undefined ? "v1" : "v0")));
        await Promise.all(nodes.map(({ node }) => node.stop()));
        running = [];
      },
    ),
    { numRuns: 25 },
  );
});

/** As the store looks to a leader that is killed at its n-th call. */
function dying(store: MemoryStore, calls: number) {
  let left = calls;
  const alive = () => {
    if (left-- <= 0) throw new Error("killed");
  };
  return new Proxy(store, {
    get(target, name: keyof MemoryStore) {
      const member = target[name];
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]) => {
        if (name !== "subscribe") alive();
        return Reflect.apply(member, target, parameters);
      };
    },
  });
}
