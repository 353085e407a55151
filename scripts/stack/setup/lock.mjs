// @ts-check
import {
  accessSync,
  constants,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheFolder } from "./cache.mjs";
import { startOf } from "./processes.mjs";
import { step } from "./progress.mjs";
import { interrupted } from "./run.mjs";

/** The process of a holder on another machine (a cache on a shared disk) can't be checked, so its heartbeat decides. */
const HEARTBEAT_SECONDS = 10;
const SILENT_SECONDS = 60;
const RETRY_MILLISECONDS = 500;

/**
 * Runs `work` while no other process on this cache runs work of the same name. Takes over the lock of a dead holder.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @param {{ what?: string }} [options] `what` is the holder in words, for a person who waits
 * @returns {Promise<T>}
 */
export async function withLock(name, work, { what = "another setup on this cache" } = {}) {
  mkdirSync(locksFolder(), { recursive: true });
  const file = join(locksFolder(), name);
  if (!tryLock(file)) await step(`Waiting for ${what} (${holder(file)})`, () => waitFor(file));
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_SECONDS * 1000);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(file, { force: true });
  }
}

/** Whether this user can take a lock: not with a cache that belongs to another one, or that is on a read-only disk. */
export function canLock() {
  try {
    mkdirSync(locksFolder(), { recursive: true });
    accessSync(locksFolder(), constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function locksFolder() {
  return join(cacheFolder(), "locks");
}

/** @param {string} file */
function touch(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // The cache was removed. If that matters to the work, the work itself fails.
  }
}

/** @param {string} file */
async function waitFor(file) {
  while (!tryLock(file)) await sleep(RETRY_MILLISECONDS, undefined, { signal: interrupted });
}

const identity = JSON.stringify({ pid: process.pid, start: startOf(process.pid), host: hostname() });

/** @param {string} file */
function tryLock(file) {
  const claim = `${file}.${process.pid}`;
  writeFileSync(claim, identity);
  try {
    // A link appears with its content at once. A file created with "wx" is empty for a moment and would look broken.
    linkSync(claim, file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    if (isAbandoned(file)) removeAbandoned(file);
    return false;
  } finally {
    unlinkSync(claim);
  }
}

/**
 * Two waiters may see the same dead holder. The second must not remove the lock that the first has since taken.
 * @param {string} file
 */
function removeAbandoned(file) {
  const guard = `${file}.guard`;
  try {
    mkdirSync(guard);
  } catch {
    if (ageOf(guard) > SILENT_SECONDS) rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    if (isAbandoned(file)) renameSync(file, join(guard, "abandoned"));
  } finally {
    rmSync(guard, { recursive: true, force: true });
  }
}

/** @param {string} file */
function isAbandoned(file) {
  const found = read(file);
  if (found?.host === hostname()) return startOf(found.pid) !== found.start;
  return ageOf(file) > SILENT_SECONDS;
}

/** Seconds since a path was last touched; 0 if it no longer exists. @param {string} path */
function ageOf(path) {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return touched === undefined ? 0 : (Date.now() - touched) / 1000;
}

/** @param {string} file */
function holder(file) {
  const found = read(file);
  return found === null ? "just ended" : `process ${found.pid} on ${found.host}`;
}

/**
 * @param {string} file
 * @returns {{ pid: number, start: string | null, host: string } | null} null: missing, or truncated by a power failure
 */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}
