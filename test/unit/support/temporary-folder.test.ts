import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { keepTemporaryFilesInMemory } from "../../support/temporary-folder.ts";

test("a folder that is chosen is used", () => {
  const env = { TMPDIR: "/chosen" };
  expect(keepTemporaryFilesInMemory(env)).toBeUndefined();
  expect(env.TMPDIR).toBe("/chosen");
});

test("a folder in memory is removed at the end, as are those of runs that were killed, and no others", ({ skip }) => {
  const { pid: dead } = spawnSync("true");
  const leftover = `/dev/shm/changelings-tests-${dead}-leftover`;
  const ofThisProcess = `/dev/shm/changelings-tests-${process.pid}-live`;
  const env: NodeJS.ProcessEnv = {};
  try {
    for (const folder of [leftover, ofThisProcess]) mkdirSync(folder);
    const remove = keepTemporaryFilesInMemory(env);
    if (remove === undefined) skip("this machine does not have 8 GB of free memory, or no /dev/shm for programs");
    expect([existsSync(leftover), existsSync(ofThisProcess)]).toEqual([false, true]);
    const folder = env["TMPDIR"] ?? "";
    mkdirSync(`${folder}/a/b`, { recursive: true });
    remove?.();
    expect(existsSync(folder)).toBe(false);
  } finally {
    for (const folder of [leftover, ofThisProcess]) rmSync(folder, { recursive: true, force: true });
  }
});
