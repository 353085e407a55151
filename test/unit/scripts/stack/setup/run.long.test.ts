import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkout } from "../../../../../scripts/stack/setup/cache.mjs";
import { descendantsOf, signalQuietly, startOf } from "../../../../../scripts/stack/setup/processes.mjs";

let folder: string;
let setup: ChildProcess | undefined;
const pids: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "run-"));
});
afterEach(() => {
  setup?.kill("SIGKILL");
  for (const pid of pids.splice(0)) signalQuietly(pid, "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A process that runs a program, which has a child of its own, as setup does. Resolves with the pids of both. */
async function running(options = {}): Promise<number[]> {
  const file = join(folder, "pids");
  const program = `sleep 600 & echo $$ $! > '${file}.new'; mv '${file}.new' '${file}'; wait`;
  const code = `const { run } = await import(${JSON.stringify(join(checkout, "scripts/stack/setup/run.mjs"))});
    await run(["/bin/sh", "-c", ${JSON.stringify(program)}], { log: "x", ...${JSON.stringify(options)} });`;
  setup = spawn(process.execPath, ["--input-type=module", "-e", code], {
    env: { ...process.env, CHANGELINGS_CACHE: folder },
    stdio: "ignore",
  });
  await expect.poll(() => readFileSync(file, "utf8"), { timeout: 20_000 }).toMatch(/^\d+ \d+\n$/);
  pids.push(...readFileSync(file, "utf8").trim().split(" ").map(Number));
  return pids;
}

test.each(["SIGKILL", "SIGTERM"] as const)(
  "a program ends with a process that %s ends, and all that it started",
  async (signal) => {
    const all = await running();
    // The program, its child, and the guard.
    await expect.poll(() => descendantsOf(setup?.pid ?? 0).length, { timeout: 10_000 }).toBe(3);
    setup?.kill(signal);
    await expect.poll(() => all.map(startOf), { timeout: 10_000 }).toEqual([null, null]);
  },
);

test("a program that must finish goes on", async () => {
  const all = await running({ finish: true });
  setup?.kill("SIGKILL");
  if (setup !== undefined) await once(setup, "exit");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(all.map(startOf)).not.toContain(null);
});
