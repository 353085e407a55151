import { lstatSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { readableNamesIn } from "../../../components/host/files.ts";
import { cacheFolder } from "./cache.mjs";
import { isComplete, removeInstalled } from "./install.mjs";
import { say } from "./progress.mjs";
import { toolchainFile } from "./toolchain.mjs";

/** No `pulumi` of another version runs that long. Setup makes a removed PULUMI_HOME again in a second. */
const unusedMs = 24 * 3600_000;

/** How much compiled code is kept, in bytes. One checkout needs a tenth of it, with all its tests a third. */
const mostCompiled = 250_000_000;

/**
 * Removes from the cache what no current version uses: private PULUMI_HOMEs of versions that did not run for a day, and
 * the compiled code that was not used for the longest time, beyond 250 MB. What a running process uses is kept, or is
 * made again.
 *
 * @param options.most bytes of compiled code
 */
export async function pruneCache({ now = Date.now(), most = mostCompiled } = {}): Promise<void> {
  const bytes = (await pruneHomes(now)) + pruneCompiled(most);
  if (bytes >= 1_000_000)
    say(`Removed ${Math.round(bytes / 1_000_000)} MB of files that were not used for long from ${cacheFolder()}.`);
}

/** @returns how many bytes were removed */
async function pruneHomes(now: number): Promise<number> {
  const isRecent = (path: string) => now - (statOf(path)?.mtimeMs ?? 0) < unusedMs;
  const used = new Set<string>();
  const records = join(cacheFolder(), "toolchain");
  for (const record of readableNamesIn(records).map((name) => join(records, name))) {
    // The launcher touches the record of the version that it runs.
    if (record === toolchainFile() || isRecent(record)) used.add(homeIn(record));
    else rmSync(record, { force: true });
  }
  const homes = join(cacheFolder(), "pulumi-home");
  let bytes = 0;
  for (const home of readableNamesIn(homes).map((name) => join(homes, name))) {
    // A setup that is about to record a home has just made it.
    if (used.has(basename(home)) || !isComplete(home) || isRecent(home)) continue;
    bytes += entriesBelow(home).reduce((sum, { size }) => sum + size, 0);
    await removeInstalled(home);
  }
  return bytes;
}

/** The name of a recorded PULUMI_HOME. The user's own has a name that no folder of the cache has. */
function homeIn(record: string): string {
  try {
    return basename(String(JSON.parse(readFileSync(record, "utf8")).pulumiHome));
  } catch {
    return ""; // another setup has just replaced it
  }
}

/**
 * Node checks each entry when it reads it, and compiles what is missing. It writes none again that it has read, so the
 * time of the last access counts too, which file systems record at least once a day.
 */
function pruneCompiled(most: number): number {
  const folder = join(cacheFolder(), "node-compile-cache");
  const entries = entriesBelow(folder).filter(({ path }) => /^v\d/.test(relative(folder, path)));
  let left = entries.reduce((sum, { size }) => sum + size, 0);
  if (left <= most) return 0;
  const before = left;
  // The records of which daemons' code it contains.
  rmSync(join(folder, "daemons"), { recursive: true, force: true });
  for (const { path, size } of entries.sort((a, b) => a.usedAt - b.usedAt)) {
    // Some room, so that not each setup has to remove some.
    if (left <= most * 0.7) break;
    rmSync(path, { force: true });
    left -= size;
  }
  return before - left;
}

interface Entry {
  readonly path: string;
  /** Bytes on the disk. */
  readonly size: number;
  /** Milliseconds. */
  readonly usedAt: number;
}

/**
 * The files below a folder, but not those that symlinks lead to, as Node's recursive `readdirSync` would list. Other
 * processes may remove some meanwhile.
 */
function entriesBelow(folder: string): Entry[] {
  return readableNamesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) return entriesBelow(path);
    if (found === undefined || !found.isFile()) return [];
    return [{ path, size: found.blocks * 512, usedAt: Math.max(found.atimeMs, found.mtimeMs) }];
  });
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
