import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Change, NodeRecord, Recording } from "../../components/seed-agent/program/domain.ts";
import type { Store } from "../../components/seed-agent/program/store/store.ts";
import { submission, useDatabases } from "../support/seed-store-lab.ts";

const version = {
  hash: "ab12",
  author: "owner",
  summary: "Answer in verse",
  parent: "v0",
  sources: { "handle.ts": "export default 1;" },
  bundle: "module.exports = 1;",
};

const ids = (given: readonly { readonly id: string }[]): string[] => given.map(({ id }) => id);

function recordingOf(id: string): Recording {
  const request = { method: "GET", path: "/", query: {}, headers: {}, body: "\0\ud800" };
  const response = { status: 200, headers: {}, body: "hello" };
  return {
    ...{ id, at: "2026-11-30T12:00:00.000Z", version: "v0", request, response },
    ...{ now: 1, seed: 0.5, state: { a: null }, milliseconds: 3 },
  };
}

describe.for(["sqlite", "postgres"] as const)("a store on %s", { concurrent: false }, (kind) => {
  const databases = useDatabases(kind);

  async function storeOf(): Promise<Store> {
    return await (await databases.lab()).open();
  }

  async function claimed(store: Store): Promise<Change> {
    await store.submit(submission);
    const change = await store.claim("n1", 60);
    if (change === undefined) throw new Error("there was nothing to claim");
    return change;
  }

  it("has the right kind", async () => {
    expect((await storeOf()).kind).toBe(kind);
  });

  it("keeps a submission as a queued change with the next id, word for word", async () => {
    const store = await storeOf();
    const hostile = { ...submission, summary: "nul \0, half a pair \ud800, 'quote", promptHash: "ff", costUsd: 0.25 };
    const first = await store.submit(hostile);
    expect(first).toEqual({
      ...hostile,
      ...{ id: "c1", state: "queued", attempts: 0 },
      submittedAt: first.submittedAt,
      updatedAt: first.submittedAt,
    });
    expect(await store.change("c1")).toEqual(first);
    expect((await store.submit(submission)).id).toBe("c2");
    expect(new Date(first.submittedAt).toISOString()).toBe(first.submittedAt);
  });

  it("has nothing under invalid ids", async () => {
    const store = await storeOf();
    await store.submit(submission);
    for (const id of ["", "c", "c0", "c-1", "1", "v1", "c1\0", "c1;--", "c99999999999999999999", "C1", "c1 "]) {
      expect(await store.change(id)).toBeUndefined();
      expect(await store.version(id)).toBeUndefined();
      expect(await store.updateChange(id, ["queued"], { state: "failed" })).toBeUndefined();
      expect(await store.renewClaim(id, "n1", 60)).toBe(false);
      expect(await store.auditLog({ limit: 5, change: id })).toEqual([]);
    }
  });

  it("keeps changes by state, newest first", async () => {
    const store = await storeOf();
    for (let count = 0; count < 12; count += 1) await store.submit(submission);
    await store.updateChange("c3", ["queued"], { state: "rejected" });
    expect(ids(await store.changes({ limit: 3 }))).toEqual(["c12", "c11", "c10"]);
    expect(ids(await store.changes({ limit: 3, states: ["rejected", "failed"] }))).toEqual(["c3"]);
    expect(await store.changes({ limit: 3, states: [] })).toEqual([]);
  });

  it("keeps an old version's new activation as an approved change", async () => {
    const store = await storeOf();
    const change = await store.submit({ ...submission, version: "v1", approvedBy: "owner", reason: "it was better" });
    expect(change).toMatchObject({ state: "approved", version: "v1", approvedBy: "owner", reason: "it was better" });
    expect(await store.claim("n1", 60)).toMatchObject({ id: "c1", state: "rolling-out" });
  });

  it("keeps versions, one for a change, whoever adds it again", async () => {
    const store = await storeOf();
    const added = await store.addVersion({ ...version, testBundle: "1;" }, "c7");
    expect(added).toEqual({ ...version, testBundle: "1;", id: "v1", createdAt: added.createdAt });
    expect(await store.addVersion({ ...version, hash: "other" }, "c7")).toEqual(added);
    expect(await store.version("v1")).toEqual(added);
    await store.addVersion({ ...version, parent: "v1" }, "c8");
    const { sources, bundle, testBundle, ...summary } = added;
    expect(await store.versions(5)).toEqual([
      { ...summary, id: "v2", parent: "v1", createdAt: expect.any(String) },
      summary,
    ]);
    expect(ids(await store.versions(1))).toEqual(["v2"]);
    await expect(store.addVersion(version, "no change")).rejects.toThrow("not the id of a change");
  });

  it("keeps versions that are needed, when the others are pruned, and never uses an id again", async () => {
    const store = await storeOf();
    for (let number = 1; number <= 12; number += 1) {
      await store.addVersion({ ...version, parent: number === 8 ? "v3" : `v${number - 1}` }, `c${number + 100}`);
    }
    // v8 is active, its parent is v3, and that one's v2.
    await store.submit({ ...submission, version: "v8" });
    await store.claim("n1", 60);
    await store.updateChange("c1", ["rolling-out"], { state: "active" });
    await store.report({ id: "n1", active: "v5" });
    await store.submit({ ...submission, base: "v6" });
    expect(await store.activeVersion()).toBe("v8");
    expect((await store.pruneVersions(2)).toSorted()).toEqual(["v1", "v10", "v4", "v7", "v9"]);
    expect(ids(await store.versions(20))).toEqual(["v12", "v11", "v8", "v6", "v5", "v3", "v2"]);
    expect(await store.pruneVersions(2)).toEqual([]);
    expect((await store.addVersion(version, "c200")).id).toBe("v13");
  });

  it("keeps the audit log in order", async () => {
    const store = await storeOf();
    const entry = { node: "n1", actor: "model:x\0", action: "checked", change: "c1", version: "v1", detail: "it is" };
    const first = await store.audit({ ...entry, data: { diff: "+1", nested: { list: [1, null] } } });
    expect(first).toEqual({ ...entry, data: { diff: "+1", nested: { list: [1, null] } }, number: 1, at: first.at });
    for (const change of ["c2", "c1", "c10"]) await store.audit({ ...entry, change });
    await store.audit({ node: "n1", actor: "system", action: "paused" });
    const numbers = async (filter: Parameters<Store["auditLog"]>[0]) =>
      (await store.auditLog(filter)).map(({ number }) => number);
    expect(await numbers({ limit: 10 })).toEqual([5, 4, 3, 2, 1]);
    expect(await numbers({ limit: 2 })).toEqual([5, 4]);
    expect(await numbers({ limit: 2, before: 4 })).toEqual([3, 2]);
    expect(await numbers({ limit: 10, change: "c1" })).toEqual([3, 1]);
    expect(await numbers({ limit: 10, change: "c1", before: 3 })).toEqual([1]);
    expect((await store.auditLog({ limit: 1, change: "c1", before: 2 }))[0]).toEqual(first);
  });

  it("keeps the versions that nodes run, until they stop reporting", async () => {
    const store = await storeOf();
    await store.report({ id: "b", active: "v1", address: "127.0.0.1:4000", problem: "it is slow" });
    await store.report({ id: "a", active: "v1" });
    await store.report({ id: "a", active: "v2" });
    const nodes = await store.nodes(60);
    expect(nodes.map(({ seenAt, ...node }) => node)).toEqual([
      { id: "a", active: "v2" },
      { id: "b", active: "v1", address: "127.0.0.1:4000", problem: "it is slow" },
    ]);
    const elapsed = (await store.now()) - Date.parse((nodes[0] as NodeRecord).seenAt);
    expect(elapsed).toBeGreaterThanOrEqual(0);
    await expect.poll(() => store.nodes(0.05)).toEqual([]);
  });

  it("keeps a node's order, if the worker has claimed the change", async () => {
    const store = await storeOf();
    await store.report({ id: "a", active: "v1" });
    const { id } = await claimed(store);
    const desired = async () => (await store.nodes(60))[0]?.desired;
    expect(await store.setDesired("a", "v2", { change: id, claimedBy: "n2" })).toBe(false);
    expect(await store.setDesired("nobody", "v2", { change: id, claimedBy: "n1" })).toBe(false);
    expect(await desired()).toBeUndefined();
    expect(await store.setDesired("a", "v2", { change: id, claimedBy: "n1" })).toBe(true);
    await store.report({ id: "a", active: "v2" });
    expect(await desired()).toBe("v2");
    expect(await store.setDesired("a", undefined, { change: id, claimedBy: "n1" })).toBe(true);
    expect(await desired()).toBeUndefined();
  });

  it("keeps the newest recordings", async () => {
    const store = await storeOf();
    for (const id of ["a", "b", "c", "d", "d"]) await store.record(recordingOf(id), 3);
    expect(await store.recordings(10)).toEqual(["d", "c", "b"].map(recordingOf));
    expect(ids(await store.recordings(1))).toEqual(["d"]);
    await store.record(recordingOf("e"), 0);
    expect(ids(await store.recordings(1))).toEqual(["d"]);
  });

  it("keeps the state, with any text as key and value", async () => {
    const store = await storeOf();
    const text = fc.string({ unit: "binary", maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(text, text, { maxKeys: 20 }), async (state) => {
        expect(await store.stateSet(state)).toBe(true);
        expect(await store.stateGet(Object.keys(state))).toEqual(state);
      }),
      { numRuns: 20 },
    );
    const odd = Object.fromEntries(
      ["__proto__", "constructor", "\0", "\ud800", ""].map((key) => [key, `${key}\0\udfff`]),
    );
    await store.stateSet(odd);
    expect(await store.stateGet([...Object.keys(odd), "none"])).toEqual(odd);
    await store.stateSet({ ["__proto__"]: undefined, constructor: undefined });
    expect(await store.stateGet(["constructor", "\0"])).toEqual({ "\0": "\0\0\udfff" });
    expect(await store.stateGet([])).toEqual({});
  });

  it("writes the state only if the values that were read have not changed", async () => {
    const store = await storeOf();
    expect(await store.stateSet({ a: "1" }, { a: null })).toBe(true);
    expect(await store.stateSet({ a: "2" }, { a: null })).toBe(false);
    expect(await store.stateSet({ a: undefined, b: "1" }, { a: "1", b: "1" })).toBe(false);
    expect(await store.stateSet({}, { a: "1" })).toBe(true);
    expect(await store.stateSet({}, { a: "2" })).toBe(false);
    expect(await store.stateSet({}, { b: null })).toBe(true);
    expect(await store.stateGet(["a", "b"])).toEqual({ a: "1" });
  });

  it("writes nothing of a change that exceeds the limits of the state", async () => {
    const store = await storeOf();
    const most = "x".repeat(64 * 1024);
    expect(await store.stateSet({ a: most })).toBe(true);
    for (const changes of [{ b: `${most}x` }, { b: "é".repeat(33_000) }, { ["k".repeat(1025)]: "" }]) {
      await expect(store.stateSet({ c: "1", a: undefined, ...changes })).rejects.toThrow(
        expect.objectContaining({ name: "StateFull" }),
      );
    }
    expect(await store.stateGet(["a", "b", "c"])).toEqual({ a: most });
    const keys = Array.from({ length: 9999 }, (_, index) => [`k${index}`, "1"]);
    await store.stateSet(Object.fromEntries(keys));
    await expect(store.stateSet({ other: "1" })).rejects.toThrow("10000 keys");
    expect(await store.stateSet({ k1: "2" })).toBe(true);
    expect(await store.stateSet({ k1: undefined, other: "1" })).toBe(true);
  });

  it("keeps settings, by compare-and-set", async () => {
    const store = await storeOf();
    expect(await store.setting("paused")).toBeUndefined();
    expect(await store.setSetting("paused", "yes", "no")).toBe(false);
    expect(await store.setSetting("paused", "yes")).toBe(true);
    expect(await store.setSetting("paused", "no")).toBe(false);
    expect(await store.setSetting("paused", "no", "yes")).toBe(true);
    expect(await store.setting("paused")).toBe("no");
  });

  it("has a check that writes and reads", async () => {
    const store = await storeOf();
    await store.check();
    await store.check();
  });
});
