import { afterEach, expect, test } from "vitest";
import {
  type Behaviour,
  MemoryCodeStore,
  MemoryLive,
  MemoryStore,
  memoryNode,
  versionNamed,
} from "../../../support/seed-agent/memory-cluster.ts";

let running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.map((node) => node.stop()));
  running = [];
});

function start(store: MemoryStore, more: Parameters<typeof memoryNode>[2] = {}) {
  const started = memoryNode("a", store, more);
  running.push(started.node);
  started.node.start();
  return started;
}

const living = (behaviour: Partial<Record<string, Behaviour>>, active = "v0") => new MemoryLive(active, behaviour);
const record = (store: MemoryStore) => store.records.get("a");

test("runs the fleet's version from the store, and saves it on disk", async () => {
  const store = new MemoryStore("v1");
  const { live, codeStore } = start(store);
  await expect.poll(() => record(store)).toMatchObject({ active: "v0" });
  store.end("v1");
  await expect.poll(() => record(store)).toMatchObject({ active: "v1", probation: "passed" });
  expect(live.calls).toEqual(["activate v1", "keep v1"]);
  expect(codeStore.versions.get("v1")).toEqual(versionNamed("v1"));
});

test("runs the version that the leader ordered rather than the fleet's", async () => {
  const store = new MemoryStore("v1", "v2");
  store.active = "v1";
  start(store);
  await expect.poll(() => record(store)?.active).toBe("v1");
  store.order("a", "v2");
  await expect.poll(() => record(store)?.active).toBe("v2");
});

test("takes a version from its disk while the store does not have it", async () => {
  const store = new MemoryStore();
  const codeStore = new MemoryCodeStore();
  await codeStore.write(versionNamed("v1"));
  store.active = "v1";
  start(store, { codeStore });
  await expect.poll(() => record(store)?.active).toBe("v1");
});

test("takes the store's version if the one on disk has the same id and another hash", async () => {
  const store = new MemoryStore("v1");
  const codeStore = new MemoryCodeStore();
  await codeStore.write({ ...versionNamed("v1"), hash: "of a database that was replaced", bundle: "old" });
  store.active = "v1";
  start(store, { codeStore });
  await expect.poll(() => record(store)?.active).toBe("v1");
  expect(codeStore.versions.get("v1")).toEqual(versionNamed("v1"));
});

test("rejects a version that does not have its hash", async () => {
  const store = new MemoryStore("v1");
  store.versions.set("v1", { ...versionNamed("v1"), sources: { "handle.ts": "export default () => evil();" } });
  store.active = "v1";
  const { live, codeStore } = start(store);
  await expect.poll(() => record(store)).toMatchObject({ failed: "v1", problem: expect.stringMatching(/hash/) });
  expect(live.active).toBe("v0");
  expect(codeStore.versions.has("v1")).toBe(false);
});

test("reports an ordered version that does not start, and does not retry it", async () => {
  const store = new MemoryStore("v1");
  const { live } = start(store, { live: living({ v1: "does not start" }) });
  await expect.poll(() => record(store)).toBeDefined();
  store.order("a", "v1");
  await expect
    .poll(() => record(store))
    .toMatchObject({
      ...{ active: "v0", failed: "v1", problem: "v1: it does not start" },
    });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(live.calls).toEqual(["activate v1"]);
});

test("retries the fleet's own version, at growing intervals", async () => {
  const store = new MemoryStore("v1");
  const behaviour: Partial<Record<string, Behaviour>> = { v1: "does not start" };
  store.active = "v1";
  const times: number[] = [];
  const live = living(behaviour);
  const activate = live.activate.bind(live);
  live.activate = (version) => {
    times.push(performance.now());
    return activate(version);
  };
  start(store, { live, retryMilliseconds: 40 });
  await expect.poll(() => times.length).toBeGreaterThan(2);
  const [first = 0, second = 0, third = 0] = times;
  expect(second - first).toBeGreaterThanOrEqual(39);
  expect(third - second).toBeGreaterThanOrEqual(79);
  delete behaviour.v1;
  await expect.poll(() => record(store)).toMatchObject({ active: "v1", problem: undefined, failed: undefined });
});

test("reports a version that it reverted in its probation, and does not retry it", async () => {
  const store = new MemoryStore("v1");
  const { live } = start(store, { live: living({ v1: "fails its probation" }) });
  await expect.poll(() => record(store)).toBeDefined();
  store.order("a", "v1");
  await expect
    .poll(() => record(store))
    .toMatchObject({
      ...{ active: "v0", failed: "v1", problem: "v1: 3 of 4 requests failed", probation: undefined },
    });
  expect(live.calls).toEqual(["activate v1", "revert v1"]);
});

test("reverts a bad version while the store can't be reached", async () => {
  const store = new MemoryStore("v1");
  const live = living({ v1: "stays in probation" });
  const { node } = start(store, { live });
  await expect.poll(() => record(store)).toBeDefined();
  store.order("a", "v1");
  await expect.poll(() => live.active).toBe("v1");
  store.isAway = true;
  await expect.poll(() => node.view().cutOffSince).toBeDefined();
  live.behaviour.v1 = "fails its probation";
  await expect.poll(() => live.active).toBe("v0");
  store.isAway = false;
  await expect.poll(() => record(store)).toMatchObject({ active: "v0", failed: "v1" });
});

test("returns to the former version at once while that is warm, otherwise by an activation without probation", async () => {
  const store = new MemoryStore("v1");
  const live = living({ v1: "stays in probation" });
  start(store, { live });
  await expect.poll(() => record(store)).toBeDefined();
  store.order("a", "v1");
  await expect.poll(() => record(store)).toMatchObject({ active: "v1", probation: "under way" });
  store.order("a", "v0");
  await expect.poll(() => record(store)).toMatchObject({ active: "v0", problem: undefined });
  live.behaviour.v1 = undefined;
  store.order("a", "v1");
  await expect.poll(() => record(store)).toMatchObject({ active: "v1", probation: "passed" });
  store.order("a", "v0");
  await expect.poll(() => record(store)).toMatchObject({ active: "v0", probation: "passed" });
  expect(live.calls).toEqual([
    ...["activate v1", "revert v1"],
    ...["activate v1", "keep v1", "activate v0", "keep v0"],
  ]);
});

test.each(["isAway", "isHanging"] as const)(
  "keeps running its version while the store %s, and converges afterwards",
  async (fault) => {
    const store = new MemoryStore("v1");
    const { live, node, logged } = start(store);
    await expect.poll(() => node.view().nodes.length).toBe(1);
    store[fault] = true;
    await expect.poll(() => node.view().cutOffSince).toBeGreaterThan(0);
    expect(live.active).toBe("v0");
    expect(node.view().nodes.length).toBe(1);
    store.active = "v1";
    store[fault] = false;
    await expect.poll(() => live.active).toBe("v1");
    await expect.poll(() => node.view().cutOffSince).toBeUndefined();
    expect(logged.filter((message) => message.startsWith("cut off from the store"))).toHaveLength(1);
  },
);

test("remembers a failed version across a restart", async () => {
  const store = new MemoryStore("v1");
  const { node } = start(store, { live: living({ v1: "fails its probation" }) });
  await expect.poll(() => record(store)).toBeDefined();
  store.order("a", "v1");
  await expect.poll(() => record(store)?.failed).toBe("v1");
  await node.stop();
  const { live } = start(store);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(live.calls).toEqual([]);
  expect(record(store)).toMatchObject({ active: "v0", failed: "v1" });
});

test("does not retry a version at once from which it fell back", async () => {
  const store = new MemoryStore("v1");
  store.active = "v1";
  const { live, node } = start(store, { live: living({}, "v1"), retryMilliseconds: 60_000 });
  await expect.poll(() => record(store)).toMatchObject({ active: "v1" });
  live.active = "v0";
  node.gaveUp({ version: "v1", reason: "its process kept ending" });
  await expect
    .poll(() => record(store))
    .toMatchObject({
      ...{ active: "v0", failed: "v1", problem: "v1: its process kept ending" },
    });
  expect(live.calls).toEqual([]);
});

test("does not retry the version at once that put it into a crash loop", async () => {
  const store = new MemoryStore("v1");
  store.active = "v1";
  const failed = { version: "v1", reason: "the service did not stay up after 3 starts" };
  const { live } = start(store, { failed, retryMilliseconds: 60_000 });
  await expect
    .poll(() => record(store))
    .toMatchObject({ active: "v0", failed: "v1", problem: expect.stringMatching(/did not stay up/) });
  expect(live.calls).toEqual([]);
});
