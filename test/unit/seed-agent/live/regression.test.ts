import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Observation, regression } from "../../../../components/seed-agent/program/live/regression.ts";
import { Counter, type Statistics } from "../../../../components/seed-agent/program/live/statistics.ts";

const mebibyte = 1024 ** 2;
const limit = 256 * mebibyte;
const calm: Statistics = { requests: 100, errors: 0, median: 5, p95: 20, samples: 100 };

function observed(statistics: Partial<Statistics> = {}, rest: Partial<Observation> = {}): Observation {
  return { statistics: { ...calm, ...statistics }, memory: 60 * mebibyte, checks: new Map(), ...rest };
}

describe("a version is worse than the one before it", () => {
  const worse: Record<string, [Observation, Observation, string]> = {
    "more requests fail": [observed({ errors: 8 }), observed(), "8 of 100 requests failed (before: 0 of 100)"],
    "each of its first three fails": [
      observed({ requests: 3, errors: 3 }),
      observed(),
      "3 of 3 requests failed (before: 0 of 100)",
    ],
    "it is near its limit of memory": [
      observed({}, { memory: 220 * mebibyte }),
      observed({}, { memory: 200 * mebibyte }),
      "it uses 220 MiB of memory (before: 200 MiB; the limit is 256 MiB)",
    ],
    "it takes much more memory": [
      observed({}, { memory: 190 * mebibyte }),
      observed(),
      "it uses 190 MiB of memory (before: 60 MiB; the limit is 256 MiB)",
    ],
    "its checks fail": [
      observed(
        {},
        {
          checks: new Map([
            ["a", false],
            ["b", true],
          ]),
        },
      ),
      observed({}, { checks: new Map([["a", true]]) }),
      "its check fails: a",
    ],
  };
  for (const [name, [now, before, words]] of Object.entries(worse))
    test(name, () => expect(regression(now, before, limit)).toBe(words));
});

describe("it is not", () => {
  const fine: Record<string, [Observation, Observation]> = {
    "two requests failed": [observed({ requests: 2, errors: 2 }), observed()],
    "as many failed before": [observed({ errors: 20 }), observed({ errors: 15 })],
    "the same check failed before": [
      observed({}, { checks: new Map([["a", false]]) }),
      observed({}, { checks: new Map([["a", false]]) }),
    ],
  };
  for (const [name, [now, before]] of Object.entries(fine))
    test(name, () => expect(regression(now, before, limit)).toBeUndefined());

  test("if it is the same", () => {
    const statistics = fc
      .tuple(
        fc.nat(1000),
        fc.nat(1000),
        fc.double({ min: 0, max: 1e4, noNaN: true }),
        fc.double({ min: 0, max: 1e4, noNaN: true }),
      )
      .map(([good, errors, one, other]) => ({
        ...{ requests: good + errors, errors, samples: good },
        ...{ median: Math.min(one, other), p95: Math.max(one, other) },
      }));
    fc.assert(
      fc.property(statistics, fc.nat(200), (same, memory) => {
        const observation = observed(same, { memory: memory * mebibyte });
        expect(regression(observation, observation, limit)).toBeUndefined();
      }),
    );
  });
});

test("a counter counts all requests, and has the times of the last 500", () => {
  const counter = new Counter();
  for (let count = 0; count < 600; count++) counter.add(count % 10 === 0, count);
  counter.add(true);
  expect(counter.get()).toEqual({ requests: 601, errors: 61, median: 350, p95: 575, samples: 500 });
});
