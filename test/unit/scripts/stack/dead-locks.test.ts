import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clearDeadLocks } from "../../../../scripts/stack/dead-locks.ts";

/** No process has it: Linux's and macOS's largest are far below. */
const deadPid = 2 ** 30;

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
    ["of a process that lives", { pid: process.pid, hostname: hostname() }, true],
    ["of another machine", { pid: deadPid, hostname: `${hostname()}-2` }, true],
    ["that it can't read", { holder: "somebody" }, true],
  ])("a lock %s", (_whose, content, stays) => {
    writeFileSync(lock, JSON.stringify(content));
    writeFileSync(`${lock}.attrs`, "{}");
    clearDeadLocks(backend);
    expect(existsSync(lock)).toBe(stays);
    expect(existsSync(`${lock}.attrs`)).toBe(stays);
  });

  it("does nothing if there is no backend yet", () => {
    expect(() => clearDeadLocks(join(backend, "none"))).not.toThrow();
  });
});
