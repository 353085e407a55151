import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { checkout } from "../../../../../scripts/stack/setup/cache.mjs";
import { withLock } from "../../../../../scripts/stack/setup/lock.mjs";
import { startOf } from "../../../../../scripts/stack/setup/processes.mjs";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that runs a body with withLock in scope. */
function start(body: string): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const code = `const { withLock } = await import(${JSON.stringify(join(checkout, "scripts/stack/setup/lock.mjs"))}); ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["pipe", "pipe", "ignore"] });
  children.push(child);
  return child;
}

/** A process that holds the lock until its stdin ends. */
async function holder(): Promise<ChildProcess> {
  const child = start(`await withLock("a", async () => {
    console.log("held");
    for await (const _ of process.stdin) {}
  });`);
  await once(child.stdout, "data");
  return child;
}

const lockFile = (): string => join(machine.cache, "locks/a");

function leave(holder: object): void {
  mkdirSync(join(machine.cache, "locks"), { recursive: true });
  writeFileSync(lockFile(), JSON.stringify(holder));
}

describe("a lock", () => {
  test("returns what the work returns, and is gone after it, also when it fails", async () => {
    expect(await withLock("a", async () => existsSync(lockFile()))).toBe(true);
    await expect(withLock("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(readdirSync(join(machine.cache, "locks"))).toEqual([]);
  });

  test("is waited for while its holder lives", async () => {
    const other = await holder();
    const events: string[] = [];
    const mine = withLock("a", async () => events.push("mine"));
    other.once("exit", () => events.push("other ended"));
    // Long enough for several tries.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(events).toEqual([]);
    other.stdin?.end();
    await mine;
    expect(events).toContain("mine");
  });

  test("of a holder that was killed is taken over", async () => {
    const other = await holder();
    other.kill("SIGKILL");
    await once(other, "exit");
    expect(existsSync(lockFile())).toBe(true);
    expect(await withLock("a", async () => "mine")).toBe("mine");
  });

  test("of a dead holder whose pid belongs to another process now is taken over", async () => {
    leave({ pid: process.pid, start: "at another time", host: hostname() });
    expect(await withLock("a", async () => "mine")).toBe("mine");
  });

  test("of another machine is taken over when it was silent for long, and not before", async () => {
    leave({ pid: 1, start: "then", host: "elsewhere" });
    const mine = withLock("a", async () => "mine");
    const first = await Promise.race([mine, new Promise((resolve) => setTimeout(resolve, 700, "still waiting"))]);
    expect(first).toBe("still waiting");
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(lockFile(), longAgo, longAgo);
    expect(await mine).toBe("mine");
  });

  test("cut short by a power failure is taken over when it is old", async () => {
    leave({});
    writeFileSync(lockFile(), "");
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(lockFile(), longAgo, longAgo);
    expect(await withLock("a", async () => "mine")).toBe("mine");
  });

  test("lets one of many in at a time, after a holder that died", async () => {
    const dead = await holder();
    dead.kill("SIGKILL");
    await once(dead, "exit");
    const counter = join(machine.folder, "counter");
    writeFileSync(counter, "0");
    const many = Array.from({ length: 5 }, () =>
      start(`import { readFileSync, writeFileSync } from "node:fs";
        await withLock("a", async () => {
          const count = Number(readFileSync(${JSON.stringify(counter)}, "utf8"));
          await new Promise((resolve) => setTimeout(resolve, 50));
          writeFileSync(${JSON.stringify(counter)}, String(count + 1));
        });`),
    );
    const codes = await Promise.all(many.map(async (child) => (await once(child, "exit"))[0]));
    expect(codes).toEqual([0, 0, 0, 0, 0]);
    expect(readFileSync(counter, "utf8")).toBe("5");
    expect(readdirSync(join(machine.cache, "locks"))).toEqual([]);
  });
});

test("a process has one start time while it lives, and none after", async () => {
  const child = spawn(process.execPath, ["-e", "process.stdin.resume()"]);
  const pid = child.pid ?? 0;
  const started = startOf(pid);
  expect(started).not.toBeNull();
  expect(startOf(pid)).toBe(started);
  child.stdin.end();
  await once(child, "exit");
  expect(startOf(pid)).toBeNull();
});
