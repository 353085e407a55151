import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { duration, step } from "../../../../scripts/setup/progress.mjs";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([
  [0, "0s"],
  [59_400, "59s"],
  [60_000, "1m00s"],
  [192_000, "3m12s"],
  [3_720_000, "1h02m"],
])("%d ms is %s", (milliseconds, text) => expect(duration(milliseconds)).toBe(text));

describe("a step", () => {
  const work = (seconds: number) => () => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  async function printed(isTTY: boolean, run: () => Promise<unknown>): Promise<string[]> {
    const written: string[] = [];
    const done = step("Building", run, { isTTY, write: (text: string) => written.push(text) }).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100_000);
    await done;
    return written;
  }

  test("without a terminal prints a line at the start, every 30 seconds and at the end", async () => {
    expect(await printed(false, work(70))).toEqual([
      "Building …\n",
      "Building … 30s\n",
      "Building … 1m00s\n",
      "Building: done in 1m10s\n",
    ]);
  });

  test("on a terminal keeps one line up to date", async () => {
    expect(await printed(true, work(2.5))).toEqual([
      "Building …",
      "\r\x1b[KBuilding … 1s",
      "\r\x1b[KBuilding … 2s",
      "\r\x1b[KBuilding: done in 3s\n",
    ]);
  });

  test("that fails says so and passes the error on", async () => {
    const written: string[] = [];
    const out = { write: (text: string) => written.push(text) };
    await expect(step("Building", () => Promise.reject(new Error("no")), out)).rejects.toThrow("no");
    expect(written).toEqual(["Building …\n", "Building: not done, after 0s\n"]);
  });
});
