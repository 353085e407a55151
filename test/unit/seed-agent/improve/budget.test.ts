import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DayBudget } from "../../../../components/seed-agent/program/improve/budget.ts";
import { openStore } from "../../../../components/seed-agent/program/store/open.ts";
import type { Store } from "../../../../components/seed-agent/program/store/store.ts";

let folder: string;
let store: Store;
let now: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "seed-budget-"));
  store = await openStore({ folder });
  now = Date.parse("2026-11-30T23:00:00Z");
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const limits = { SEED_CHANGES_PER_DAY: 5, SEED_USD_PER_DAY: 2, SEED_USD_PER_CHANGE: 0.5 };
/** One node's, with the database's clock at `now`. */
const budget = (more: Partial<typeof limits> = {}) =>
  new DayBudget(
    {
      setting: (name) => store.setting(name),
      setSetting: (name, value, expected) => store.setSetting(name, value, expected),
      now: async () => now,
    },
    { ...limits, ...more },
  );

async function reserved(of: DayBudget) {
  const reservation = await of.reserve();
  if (typeof reservation === "string") throw new Error(reservation);
  return reservation;
}

test("twenty proposals at once, on two nodes, don't exceed it", async () => {
  const nodes = [budget({ SEED_USD_PER_DAY: 100 }), budget({ SEED_USD_PER_DAY: 100 })];
  const all = await Promise.all(Array.from({ length: 20 }, (_, index) => nodes[index % 2]?.reserve()));
  expect(all.filter((each) => typeof each !== "string")).toHaveLength(5);
  expect(all.filter((each) => typeof each === "string")).toContain(
    "5 changes were proposed today, and SEED_CHANGES_PER_DAY is 5",
  );
});

test("money is reserved up to what is left, and settled", async () => {
  const one = budget({ SEED_CHANGES_PER_DAY: 100, SEED_USD_PER_CHANGE: 1.5 });
  const first = await reserved(one);
  const second = await reserved(one);
  expect([first.usd, second.usd]).toEqual([1.5, 0.5]);
  expect(await one.reserve()).toBe("$2 were spent today, and SEED_USD_PER_DAY is 2");
  await one.settle(first, { usd: 0.25, hasSubmitted: true });
  await one.settle(second, { usd: 0, hasSubmitted: false });
  expect(await one.read()).toEqual({ changesToday: 1, changesPerDay: 100, usdToday: 0.25, usdPerDay: 2 });
});

test("neither a node that dies nor a restart gives anything back", async () => {
  await reserved(budget());
  expect(await budget().read()).toMatchObject({ changesToday: 1, usdToday: 0.5 });
});

test("a repaired change counts, too", async () => {
  const one = budget({ SEED_CHANGES_PER_DAY: 2 });
  await reserved(one);
  expect(await one.reserveChange()).toBe(true);
  expect(await one.reserveChange()).toBe(false);
});

test("a new day begins at midnight, UTC, and a settlement of yesterday does not touch it", async () => {
  const one = budget();
  const yesterday = await reserved(one);
  now = Date.parse("2026-12-01T00:00:01Z");
  expect(await one.read()).toMatchObject({ changesToday: 0, usdToday: 0 });
  await reserved(one);
  await one.settle(yesterday, { usd: 0, hasSubmitted: false });
  expect(await one.read()).toMatchObject({ changesToday: 1, usdToday: 0.5 });
});

test("a clock that is set back can't spend a day twice", async () => {
  const one = budget({ SEED_CHANGES_PER_DAY: 1 });
  await reserved(one);
  for (const time of ["2026-11-29T12:00:00Z", "2020-01-01T00:00:00Z", "2026-11-30T01:00:00Z"]) {
    now = Date.parse(time);
    expect(await one.reserve()).toMatch(/1 changes were proposed today/);
  }
});

test("a budget of 0 allows nothing", async () => {
  expect(await budget({ SEED_USD_PER_DAY: 0 }).reserve()).toMatch(/SEED_USD_PER_DAY is 0/);
  expect(await budget({ SEED_CHANGES_PER_DAY: 0 }).reserve()).toMatch(/SEED_CHANGES_PER_DAY is 0/);
});
