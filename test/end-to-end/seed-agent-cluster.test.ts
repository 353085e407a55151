import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, onTestFailed, test } from "vitest";
import { noPostgres, type Postgres, startPostgres } from "../support/postgres.ts";
import { clusterLab, type LabOptions } from "../support/seed-agent/cluster-lab.ts";
import { networks, noNetworks } from "../support/seed-agent/networks.ts";

const missing = await noPostgres();
const withPostgres = (name: string, run: () => Promise<void>, milliseconds?: number) =>
  test(
    name,
    async ({ skip }) => {
      skip(missing !== undefined, missing);
      await run();
    },
    milliseconds,
  );

let postgres: Postgres;
beforeAll(async () => {
  if (missing === undefined) postgres = await startPostgres();
});
afterAll(async () => {
  if (missing === undefined) await postgres.close();
});

type Lab = Awaited<ReturnType<typeof clusterLab>>;
let open: Lab[] = [];
let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(open.map((lab) => lab.close()));
  await Promise.all(closing.map((close) => close()));
  [open, closing] = [[], []];
});

/** Starts the nodes, or those that are named, and waits until each has reported. */
async function cluster(options: Partial<LabOptions> = {}, started?: readonly string[]): Promise<Lab> {
  const lab = await clusterLab({ databaseUrl: await postgres.database(), ...options });
  open.push(lab);
  onTestFailed(() => {
    for (const node of lab.nodes) process.stderr.write(`--- ${node.id}\n${node.output()}\n`);
  });
  const nodes = lab.nodes.filter(({ id }) => started?.includes(id) ?? true);
  await Promise.all(nodes.map((node) => node.start()));
  await expect.poll(async () => (await lab.store.nodes(20)).length).toBe(nodes.length);
  return lab;
}

/** Waits until all nodes run the version, have no problem, and nothing is ordered any more. */
async function expectAll(lab: Lab, version: string): Promise<void> {
  const expected = lab.nodes.map(({ id }) => ({ id, active: version, problem: undefined, desired: undefined }));
  const seen = async () => {
    const nodes = await lab.store.nodes(20);
    return nodes.map(({ id, active, problem, desired }) => ({ id, active, problem, desired }));
  };
  await expect.poll(seen, { timeout: 40_000 }).toEqual(expected);
}

withPostgres(
  "rolls a version out to three nodes, whose clocks differ by days, and back if one of them can't run it",
  async () => {
    const offsets: Record<string, number> = { a: 86_400_000, b: -2 * 86_400_000, c: 0 };
    const clock = new URL("../support/seed-agent/other-clock.mjs", import.meta.url).href;
    const lab = await cluster({
      flags: () => ["--import", clock],
      environment: (name) => ({ CLOCK_OFFSET: String(offsets[name]) }),
    });
    for (const node of lab.nodes) {
      const others = lab.nodes.flatMap(({ id }) => (id === node.id ? [] : [id])).sort();
      const known = async () => (await node.view()).peers.map((peer) => peer.problem ?? peer.node).sort();
      await expect.poll(known).toEqual(others);
    }
    const change = await lab.submit();
    expect(await lab.ended(change.id)).toMatchObject({ state: "active", version: "v1" });
    await expectAll(lab, "v1");
    expect(await lab.store.activeVersion()).toBe("v1");
    const addresses = lab.nodes.map(({ settings }) => `${settings.host}:${settings.port}`);
    expect((await lab.store.nodes(20)).map(({ address }) => address)).toEqual(addresses);

    for (const [behaviour, reason] of [
      ["does not start", /it does not start/],
      ["fails its probation", /its check fails: itself/],
    ] as const) {
      for (const bad of ["a", "b", "c"]) {
        const change = await lab.submit({ [bad]: behaviour });
        const ended = await lab.ended(change.id);
        expect(ended).toMatchObject({ state: "rolled-back", reason: expect.stringMatching(reason) });
        expect(ended.reason).toContain(`(on ${bad})`);
        await expectAll(lab, "v1");
        expect(await lab.store.activeVersion()).toBe("v1");
      }
    }
    const peers = async () => (await Promise.all(lab.nodes.map((node) => node.view()))).flatMap((view) => view.peers);
    await expect.poll(async () => (await peers()).map(({ problem }) => problem)).toEqual(Array(6).fill(undefined));
  },
);

withPostgres(
  "a node that joins late, and one whose volume was emptied or corrupted, get the fleet's version",
  async () => {
    const lab = await cluster({}, ["a", "b"]);
    const change = await lab.submit();
    expect(await lab.ended(change.id)).toMatchObject({ state: "active" });
    await lab.node("c").start();
    await expectAll(lab, "v1");
    await lab.node("b").kill();
    rmSync(join(lab.folder, "b"), { recursive: true });
    await lab.node("b").start();
    await expectAll(lab, "v1");
    await lab.node("c").kill();
    writeFileSync(join(lab.folder, "c/code/versions/v1/bundle.cjs"), "{}");
    await lab.node("c").start();
    await expectAll(lab, "v1");
  },
);

withPostgres("nodes go on while the database is away, say so, and converge after it, in a roll-out too", async () => {
  const lab = await cluster({ settings: () => ({ probationSeconds: 2 }) });
  const change = await lab.submit();
  expect(await lab.ended(change.id)).toMatchObject({ state: "active" });
  for (const [away, back] of [
    [async () => postgres.pause(), async () => postgres.resume()],
    [() => postgres.stop(), () => postgres.start()],
  ] as const) {
    await away();
    const cutOff = async () =>
      (await Promise.all(lab.nodes.map((node) => node.view()))).map(({ view }) => view.cutOffSince);
    await expect.poll(cutOff, { timeout: 30_000 }).toEqual(lab.nodes.map(() => expect.any(Number)));
    expect((await Promise.all(lab.nodes.map((node) => node.view()))).map(({ active }) => active)).toEqual([
      "v1",
      "v1",
      "v1",
    ]);
    await back();
    await expect.poll(cutOff, { timeout: 30_000 }).toEqual(lab.nodes.map(() => undefined));
  }
  const next = await lab.submit();
  expect(await lab.ended(next.id)).toMatchObject({ state: "active", version: "v2" });
  await expectAll(lab, "v2");

  // In the middle of a roll-out.
  const bad = await lab.submit({ c: "fails its probation" });
  await expect
    .poll(async () => (await lab.store.nodes(20)).some(({ active }) => active === "v3"), { interval: 20 })
    .toBe(true);
  await postgres.stop();
  await sleep(3000);
  await postgres.start();
  expect(await lab.ended(bad.id, 120)).toMatchObject({ state: "rolled-back" });
  await expectAll(lab, "v2");
});

const noNetwork = missing ?? noNetworks();
test("a node that is cut off from the network goes on, and converges when it is back", async ({ skip }) => {
  skip(noNetwork !== undefined, noNetwork);
  const names = ["a", "b", "c"];
  const databaseUrl = await postgres.database();
  const network = await networks(names, databaseUrl);
  closing.push(() => network.close());
  const lab = await cluster({
    ...{ databaseUrl, names, within: network.within },
    settings: (name) => ({
      databaseUrl: network.databaseUrl,
      host: network.host(name),
      peers: names.map(network.host),
    }),
  });
  const known = async (id: string) => (await lab.node(id).view()).peers.map((peer) => peer.problem ?? peer.node);
  await expect.poll(() => known("a"), { timeout: 20_000 }).toEqual(["b", "c"]);

  network.cut("c");
  await expect
    .poll(async () => (await lab.store.nodes(20)).map(({ id }) => id), { timeout: 40_000 })
    .toEqual(["a", "b"]);
  const first = await lab.submit();
  expect(await lab.ended(first.id)).toMatchObject({ state: "active", version: "v1" });
  await expect.poll(async () => (await lab.node("c").view()).view.cutOffSince, { timeout: 20_000 }).toBeDefined();
  expect((await lab.node("c").view()).active).toBe("v0");
  expect(await known("a")).toEqual(["b", "no answer within 3 s"]);
  network.heal("c");
  await expectAll(lab, "v1");
  expect((await lab.node("c").view()).view.cutOffSince).toBeUndefined();

  // The leader, in the middle of its roll-out: another one goes on when its claim has ended.
  const second = await lab.submit();
  await expect
    .poll(async () => (await lab.store.nodes(20)).some(({ desired }) => desired === "v2"), { interval: 10 })
    .toBe(true);
  const leader = (await lab.claimant(second.id)) ?? "";
  network.cut(leader);
  await expect.poll(() => lab.claimant(second.id), { timeout: 60_000 }).not.toBe(leader);
  network.heal(leader);
  expect(await lab.ended(second.id, 120)).toMatchObject({ state: "active", version: "v2" });
  await expectAll(lab, "v2");

  // Peers that can't reach each other still agree: by the store.
  network.cutBetween("a", "b");
  const third = await lab.submit();
  expect(await lab.ended(third.id)).toMatchObject({ state: "active", version: "v3" });
  await expectAll(lab, "v3");
});

/** Many seeds are for running by hand: `SEED_AGENT_KILLS=100`. */
const kills = Number(process.env["SEED_AGENT_KILLS"] ?? 3);
const firstSeed = Number(process.env["SEED_AGENT_SEED"] ?? 1);
const plan = fc.record({
  milliseconds: fc.integer({ min: 0, max: 2500 }),
  isBad: fc.boolean(),
  /** After the first leader, also the one that goes on. */
  isRepeated: fc.boolean(),
  /** So that another node takes over when its claim has ended. */
  staysAway: fc.integer({ min: 1, max: 4 }).map((number) => number === 1),
});
withPostgres(
  `all nodes agree after kill -9 of the leader at ${kills} points of roll-outs`,
  async () => {
    const lab = await cluster();
    let active = "v0";
    for (let seed = firstSeed; seed < firstSeed + kills; seed++) {
      const [{ milliseconds, isBad, isRepeated, staysAway }] = fc.sample(plan, { numRuns: 1, seed }) as [PlanOf];
      const change = await lab.submit(isBad ? { b: "fails its probation" } : {});
      const away: string[] = [];
      for (const wait of isRepeated ? [milliseconds, milliseconds / 2] : [milliseconds]) {
        await sleep(wait);
        const leader = await lab.claimant(change.id);
        if (leader === undefined || away.includes(leader)) continue;
        await lab.node(leader).kill();
        // Without the only node on which it is bad, a version is good.
        if (staysAway && away.length === 0 && !(isBad && leader === "b")) away.push(leader);
        else await lab.node(leader).start();
      }
      const ended = await lab.ended(change.id, 150);
      for (const id of away) await lab.node(id).start();
      const what = `seed ${seed}: ${ended.reason}`;
      // A node that was to run a version and is not seen again counts against that version.
      const isBack = isBad || (away.length > 0 && ended.state === "rolled-back");
      expect(ended.state, what).toBe(isBack ? "rolled-back" : "active");
      if (ended.state === "active") active = ended.version ?? "";
      expect((await lab.store.activeVersion()) ?? "v0", what).toBe(active);
      await expectAll(lab, active);
      if (kills > 10)
        process.stderr.write(`seed ${seed}: killed, ${ended.state}${away.length > 0 ? ", taken over" : ""}\n`);
    }
  },
  60_000 + kills * 60_000,
);
type PlanOf = typeof plan extends fc.Arbitrary<infer Value> ? Value : never;
