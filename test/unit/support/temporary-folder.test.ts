import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keepTemporaryFilesInMemory } from "../../support/temporary-folder.ts";

test("a folder that is chosen is used", () => {
  const env = { TMPDIR: "/chosen" };
  expect(keepTemporaryFilesInMemory(env)).toBeUndefined();
  expect(env.TMPDIR).toBe("/chosen");
});

test("a folder in memory is removed at the end with its programs, as are those of runs that were killed, and no others", async ({
  skip,
}) => {
  const { pid: dead } = spawnSync("true");
  const link = "/proc/self/ns/pid";
  const namespace = existsSync(link) ? /\d+/.exec(readlinkSync(link))?.[0] : "";
  const leftover = `/dev/shm/cl-${namespace}-${dead}-leftover`;
  const ofThisProcess = `/dev/shm/cl-${namespace}-${process.pid}-live`;
  // It may run there.
  const ofAContainer = `/dev/shm/cl-1-${dead}-live`;
  const folders = [leftover, ofThisProcess, ofAContainer];
  const settings: NodeJS.ProcessEnv = {};
  try {
    for (const folder of folders) mkdirSync(folder);
    const remove = keepTemporaryFilesInMemory(settings);
    if (remove === undefined) skip("this machine does not have 8 GB of free memory, or no /dev/shm for programs");
    expect(folders.map((folder) => existsSync(folder))).toEqual([false, true, true]);
    const folder = settings["TMPDIR"] ?? "";
    // The longest path of a socket below it, with the longest pid, must fit in what the kernel takes.
    const socket = join(folder, "browser-123456/org.chromium.Chromium.123456/SingletonSocket");
    expect(socket.length - String(process.pid).length + 7).toBeLessThan(108);
    mkdirSync(`${folder}/a/b`, { recursive: true });
    const env = { PATH: process.env["PATH"], HOME: `${folder}/a` };
    const child = spawn("sleep", ["600"], { env });
    const ended = once(child, "exit");
    spawnSync("sh", ["-c", "sleep 601 >/dev/null 2>&1 &"], { env });
    expect(remove?.()).toEqual(["sleep 601"]);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(existsSync(folder)).toBe(false);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
});
