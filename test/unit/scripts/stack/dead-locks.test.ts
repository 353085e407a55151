import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clearDeadLocks } from "../../../../scripts/stack/dead-locks.ts";

/** No process has it: Linux's and macOS's largest are far below. */
const deadPid = 2 ** 30;
const isLinux = process.platform === "linux";

describe("clearDeadLocks", () => {
  let backend: string;
  let lock: string;
  beforeEach(() => {
    backend = mkdtempSync(join(tmpdir(), "locks-"));
    const folder = join(backend, ".pulumi", "locks", "organization", "changelings", "dev");
    mkdirSync(folder, { recursive: true });
    lock = join(folder, "0b9c.json");
  });
  afterEach(() => rmSync(backend, { recursive: true }));

  it.each([
    ["of a process of this machine that is no more", { pid: deadPid, hostname: hostname() }, false],
    ["of a process of another program that has its id by now", { pid: process.pid, hostname: hostname() }, !isLinux],
    ["of another machine", { pid: deadPid, hostname: `${hostname()}-2` }, true],
    ["that it can't read", { holder: "somebody" }, true],
  ])("a lock %s", (_whose, content, stays) => {
    writeFileSync(lock, JSON.stringify(content));
    writeFileSync(`${lock}.attrs`, "{}");
    clearDeadLocks(backend);
    expect(existsSync(lock)).toBe(stays);
    expect(existsSync(`${lock}.attrs`)).toBe(stays);
  });

  it("a lock of a pulumi that lives stays", async () => {
    // Linux names a process after the file that was started.
    const program = join(backend, "pulumi");
    symlinkSync("/bin/sleep", program);
    const child = spawn(program, ["60"], { stdio: "ignore" });
    try {
      await once(child, "spawn");
      writeFileSync(lock, JSON.stringify({ pid: child.pid, hostname: hostname() }));
      clearDeadLocks(backend);
      expect(existsSync(lock)).toBe(true);
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  });

  it("does nothing if there is no backend yet", () => {
    expect(() => clearDeadLocks(join(backend, "none"))).not.toThrow();
  });
});
