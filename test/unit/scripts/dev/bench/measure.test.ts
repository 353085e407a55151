import { expect, test } from "vitest";
import { secondsInTimes, spentBy } from "../../../../../scripts/dev/bench/measure.ts";

test("the processor time of a program includes that of its children", async () => {
  const busy = "while (process.cpuUsage().user < 200_000) for (let i = 0; i < 1e6; i++);";
  const script = `require("node:child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(busy)}])`;
  const { processor } = await spentBy(process.execPath, ["-e", script], { cwd: "/", env: process.env });
  expect(processor).toBeGreaterThan(0.2);
});

test("a program that fails is an error with its output", async () => {
  const script = 'console.log("what it said"); process.exit(3)';
  const spent = spentBy(process.execPath, ["-e", script], { cwd: "/", env: process.env });
  await expect(spent).rejects.toThrow(/exited with 3:\nwhat it said/);
});

test.each([
  ["dash", "0m0.000000s 0m0.010000s\n1m2.500000s 0m0.250000s\n", 62.75],
  ["bash", "0m0.001s 0m0.002s\n0m1.500s 2m0.000s\n", 121.5],
])("reads the times of %s", (_, text, seconds) => {
  expect(secondsInTimes(text)).toBeCloseTo(seconds);
});
