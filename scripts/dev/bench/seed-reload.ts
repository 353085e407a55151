import type { Recording } from "../../../components/seed-agent/program/domain.ts";
import { endAnalyzer } from "../../../components/seed-agent/program/hot-reload/analysis/analyzer.ts";
import { checks } from "../../../components/seed-agent/program/hot-reload/check.ts";
import { findFence } from "../../../components/seed-agent/program/hot-reload/fence.ts";
import { firstVersion } from "../../../components/seed-agent/program/hot-reload/first-version.ts";
import { versionHosts } from "../../../components/seed-agent/program/hot-reload/host.ts";
import type { HostLimits } from "../../../components/seed-agent/program/hot-reload/version-host.ts";
import { type Measure, median } from "./measure.ts";

const rounds = 10;
const limits: HostLimits = { memoryMb: 256, callMilliseconds: 10_000, startMilliseconds: 30_000 };
const recorded = 40;

/**
 * The hot reload of a small module in the service's process, from its submission to the first answer of the new version,
 * without the queue: each step's share, and the whole against the type check and the tests of the same round alone.
 */
export async function* seedReloadMeasures(): AsyncGenerator<Measure> {
  const fence = await findFence("auto");
  const check = checks(fence);
  const startHost = versionHosts(fence);
  const base = await firstVersion();
  const times = new Map<string, number[]>();
  const add = (name: string, milliseconds: number) => times.set(name, [...(times.get(name) ?? []), milliseconds]);

  // The first round loads TypeScript.
  for (let round = 0; round <= rounds; round++) {
    const sources = {
      ...base.sources,
      "lib/round.ts": `export const round = ${round};\n`,
      "round.test.ts": `import { assert, test } from "seed";\nimport { round } from "./lib/round.ts";\ntest("counts", async ({ handle }) => {\n  assert.equal(round, ${round});\n  assert.equal((await handle({})).status, 200);\n});\n`,
    };
    const began = performance.now();
    const { report, built } = await check(
      { sources, base, answers: "same", recordings: recordings(recorded) },
      { limits, testMilliseconds: 60_000 },
    );
    if (built === undefined)
      throw new Error(JSON.stringify(report.steps.filter(({ outcome }) => outcome === "failed")));
    const checkedAt = performance.now();
    const host = await startHost({ id: "v1", bundle: built.bundle }, limits);
    await host.handle(request, { now: 0, seed: 0, read: async () => undefined });
    const ended = performance.now();
    await host.end();
    if (round === 0) continue;
    const step = (name: string) => report.steps.find((each) => each.name === name)?.milliseconds ?? 0;
    for (const { name, milliseconds } of report.steps) add(name, milliseconds);
    add("start", ended - checkedAt);
    add("whole", ended - began);
    add("alone", step("types") + step("tests") + step("former tests"));
  }
  await endAnalyzer();

  const of = (name: string) => median(times.get(name) ?? []);
  const shares = [...times.keys()]
    .filter((name) => name !== "whole" && name !== "alone")
    .map((name) => `${name} ${((100 * of(name)) / of("whole")).toFixed(0)} %`);
  yield {
    name: "hot reload of a small module",
    ...{ value: of("whole") / of("alone"), unit: "ratio", bar: 2 },
    detail: `${of("whole").toFixed(0)} ms against ${of("alone").toFixed(0)} ms of its type check and tests alone, behind ${fence.name}; ${shares.join(", ")}`,
  };
}

const request = { method: "GET", path: "/", query: {}, headers: {}, body: "" };

function recordings(count: number): Recording[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{
      id: `r${index}`,
      at: "2026-01-01T00:00:00.000Z",
      version: "v0",
      now: 0,
      seed: index,
      state: {},
      milliseconds: 1,
    },
    request,
    response: { status: 200, headers: {}, body: "I am a seed agent.\n" },
  }));
}
