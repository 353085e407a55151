import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { minSamples, Slowness } from "../../../../components/seed-agent/program/live/slowness.ts";
import { Counter } from "../../../../components/seed-agent/program/live/statistics.ts";
import "../../../support/properties.ts";

function sample(counter: Counter | undefined, milliseconds: number, slowest = milliseconds, count = minSamples): void {
  for (let at = 0; at < count; at++) counter?.time(at < count * 0.9 ? milliseconds : slowest);
}

function judged(median: number, slowest = median) {
  const [before, counter] = [new Counter(), new Counter()];
  sample(before, median, slowest);
  return { counter, slowness: new Slowness(counter, before.get()) };
}

describe("a version is slower than the one before it", () => {
  test.each([
    ["half of its answers take 30 ms (before: 5 ms)", 30, 30],
    ["its slowest answers take 200 ms (before: 20 ms)", 5, 200],
  ])("if two samples show it: %s", (reason, median, slowest) => {
    const { counter, slowness } = judged(5, 20);
    sample(counter, median, slowest);
    expect(slowness.judge()).toBeUndefined();
    expect([slowness.suspicion, counter.get().samples]).toEqual([reason, 0]);
    sample(slowness.control, 5, 20);
    sample(counter, median, slowest, minSamples - 1);
    expect(slowness.judge()).toBeUndefined();
    counter.time(slowest);
    expect(slowness.judge()).toBe(reason);
  });

  test("if clients' requests alone show it, and nothing can be replayed", () => {
    const { counter, slowness } = judged(5);
    for (const expected of [undefined, "half of its answers take 30 ms (before: 5 ms)"]) {
      sample(counter, 30);
      expect(slowness.judge()).toBe(expected);
    }
  });
});

test("at the end, the answers of the second sample that there are decide, or else the first sample", () => {
  const { counter, slowness } = judged(5);
  expect(slowness.decide()).toBeUndefined();
  sample(counter, 400);
  slowness.judge();
  expect(slowness.decide()).toContain("400 ms");
  sample(counter, 300, 300, 4);
  expect(slowness.decide()).toContain("300 ms");
  sample(slowness.control, 290, 290, 4);
  expect(slowness.decide()).toBeUndefined();
});

describe("it is not", () => {
  test("if the second sample is quick, and a third is a suspicion again", () => {
    const { counter, slowness } = judged(5);
    sample(counter, 5, 300);
    slowness.judge();
    sample(counter, 5);
    expect([slowness.judge(), slowness.suspicion, slowness.control]).toEqual([undefined, undefined, undefined]);
    sample(counter, 5, 300, 10 * minSamples);
    expect([slowness.judge(), slowness.suspicion]).toEqual([undefined, expect.stringContaining("300 ms")]);
  });

  test("if the version before is as slow now", () => {
    const { counter, slowness } = judged(5);
    sample(counter, 50);
    slowness.judge();
    sample(counter, 50);
    sample(slowness.control, 40);
    expect([slowness.judge(), slowness.suspicion]).toEqual([undefined, undefined]);
  });

  test("if one answer of a sample is slow, or all are a little slower", () => {
    const { counter, slowness } = judged(5, 20);
    sample(counter, 20, 100);
    slowness.judge();
    expect(slowness.suspicion).toBeUndefined();
    const other = judged(5);
    sample(other.counter, 5, 5, minSamples - 1);
    other.counter.time(10_000);
    other.slowness.judge();
    expect(other.slowness.suspicion).toBeUndefined();
  });

  test("if too little is known of it, or nothing of the one before", () => {
    const { counter, slowness } = judged(5);
    sample(counter, 500, 500, minSamples - 1);
    slowness.judge();
    expect(slowness.suspicion).toBeUndefined();
    const first = new Slowness(counter, new Counter().get());
    sample(counter, 500);
    first.judge();
    expect(first.suspicion).toBeUndefined();
  });

  test("if its times are the same", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { maxLength: 600 }), (times) => {
        const [before, counter] = [new Counter(), new Counter()];
        for (const each of times) for (const one of [before, counter]) one.time(each);
        const slowness = new Slowness(counter, before.get());
        expect([slowness.judge(), slowness.suspicion]).toEqual([undefined, undefined]);
      }),
    );
  });
});
