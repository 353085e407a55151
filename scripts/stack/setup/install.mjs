// @ts-check
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { withLock } from "./lock.mjs";

const COMPLETE = ".complete";

/**
 * Creates a cache folder once: `make` fills a temporary folder beside it, which is then renamed in one step.
 * @param {string} folder
 * @param {(temporary: string) => Promise<void>} make
 */
export async function installFolder(folder, make) {
  if (existsSync(folder)) return;
  await withLock(lockName(folder), async () => {
    if (existsSync(folder)) return;
    const temporary = `${folder}.${process.pid}.tmp`;
    removeLeftovers(folder);
    mkdirSync(temporary, { recursive: true });
    try {
      await make(temporary);
      renameSync(temporary, folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
}

/** Their makers are dead, because we hold the lock. @param {string} folder */
function removeLeftovers(folder) {
  mkdirSync(dirname(folder), { recursive: true });
  for (const name of readdirSync(dirname(folder))) {
    if (name.startsWith(`${basename(folder)}.`) && name.endsWith(".tmp")) {
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
    }
  }
}

/**
 * Creates a folder that contains its own absolute path (a Python environment), so it can't be renamed into place. It is
 * reused if it is marked complete, else created again.
 * @param {string} folder
 * @param {() => Promise<void>} make
 */
export async function installInPlace(folder, make) {
  if (isComplete(folder)) return;
  await withLock(lockName(folder), async () => {
    if (isComplete(folder)) return;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    try {
      await make();
      writeFileSync(join(folder, COMPLETE), "");
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  });
}

/**
 * Removes a folder that `installInPlace` created, while no other process creates it.
 * @param {string} folder
 */
export async function removeInstalled(folder) {
  await withLock(lockName(folder), async () => {
    // First, so that a folder of which only a part is left does not count.
    rmSync(join(folder, COMPLETE), { force: true });
    rmSync(folder, { recursive: true, force: true });
  });
}

/** @param {string} folder */
export function isComplete(folder) {
  return existsSync(join(folder, COMPLETE));
}

/** @param {string} folder */
function lockName(folder) {
  return `${basename(dirname(folder))}-${basename(folder)}`;
}
