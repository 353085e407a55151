import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { duration, step } from "../../../../../scripts/stack/setup/progress.mjs";

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
    const out = { isTTY, write: (text: string) => written.push(text) };
    const done = step("Building", run, { out }).catch(() => undefined);
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
      "\r\x1b[KBuilding …",
      "\r\x1b[KBuilding … 1s",
      "\r\x1b[KBuilding … 2s",
      "\r\x1b[KBuilding: done in 3s\n",
    ]);
  });

  test("that fails says so and passes the error on", async () => {
    const written: string[] = [];
    const out = { write: (text: string) => written.push(text) };
    await expect(step("Building", () => Promise.reject(new Error("no")), { out })).rejects.toThrow("no");
    expect(written).toEqual(["Building …\n", "Building: not done, after 0s\n"]);
  });

  test("whose part done is known says when it ends at this machine's pace", async () => {
    const written: string[] = [];
    const out = { write: (text: string) => written.push(text) };
    const start = Date.now();
    // In the first 30 seconds no progress is counted, as in a build that continues an earlier one.
    const fraction = () => (Date.now() - start < 20_000 ? null : 0.4 + (0.6 * (Date.now() - start - 30_000)) / 240_000);
    const done = step("Building", work(270), { out, fraction });
    await vi.advanceTimersByTimeAsync(270_000);
    await done;
    expect(written.slice(0, 5)).toEqual([
      "Building …\n",
      "Building … 30s, 40 %\n",
      "Building … 1m00s, 47 %, about 3m30s left\n",
      "Building … 1m30s, 55 %, about 3m00s left\n",
      "Building … 2m00s, 62 %, about 2m30s left\n",
    ]);
  });

  test("beside another one shares the line of the terminal, which never wraps", async () => {
    const written: string[] = [];
    const out = { isTTY: true, columns: 34, write: (text: string) => written.push(text) };
    const both = Promise.all([step("Building the CLI", work(3.5), { out }), step("Installing it", work(1.5), { out })]);
    await vi.advanceTimersByTimeAsync(3_500);
    await both;
    expect(written).toEqual([
      "\r\x1b[KBuilding the CLI …",
      "\r\x1b[KBuilding the CLI … · Installing …",
      "\r\x1b[KBuilding the CLI … 1s · Installi…",
      "\r\x1b[KInstalling it: done in 2s\n",
      "\r\x1b[KBuilding the CLI … 2s",
      "\r\x1b[KBuilding the CLI … 2s",
      "\r\x1b[KBuilding the CLI … 3s",
      "\r\x1b[KBuilding the CLI: done in 4s\n",
    ]);
  });
});
