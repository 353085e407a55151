import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import {
  ensureFolder,
  namesIn,
  namingDisk,
  readTail,
  readTextIfAny,
  watchFolder,
  writeAll,
  writePrivateFile,
} from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { foldRuns, newestFirst, parseLine, type RecordedRun, type RecordLine, type Run } from "../run-records.ts";
import { schedulerState } from "./state.ts";

/** When a changeling's records exceed this size, at least the older half is removed. That is about 1,000 runs. */
const mostBytes = 1_000_000;
/** How many of the newest runs remain then, or fewer if their records are long. */
const keptRuns = 500;
/** How many trailing bytes are read to find recent events. */
const recentBytes = 64_000;

/**
 * Appends one line atomically and syncs it to disk before returning.
 * @throws DiskFullError
 */
export function appendRecord(paths: InstallationPaths, line: RecordLine): void {
  const path = recordsPath(paths, line.changeling);
  try {
    ensureFolder(paths.records);
    const file = openSync(path, "a+", 0o600);
    try {
      append(file, JSON.stringify(line));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw namingDisk(error, path);
  }
}

function append(file: number, line: string): void {
  const { size } = fstatSync(file);
  try {
    // A crash may have left half a line, which must not corrupt this one.
    writeAll(file, `${endsTorn(file, size) ? "\n" : ""}${line}\n`);
    fsyncSync(file);
  } catch (error) {
    ftruncateSync(file, size);
    throw error;
  }
}

function endsTorn(file: number, size: number): boolean {
  const last = Buffer.alloc(1);
  return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last.toString() !== "\n";
}

/** The runs of one changeling, or of all, newest first. */
export function readRuns(paths: InstallationPaths, name?: string): RecordedRun[] {
  const names = name === undefined ? recordedNames(paths) : [name];
  const runs = names.flatMap((each) => foldRuns(readLines(paths, each)));
  return newestFirst(runs);
}

/** The newest runs of one changeling, or of all together, newest first. */
export function readNewestRuns(paths: InstallationPaths, limit: number, name?: string): RecordedRun[] {
  const names = name === undefined ? recordedNames(paths) : [name];
  return newestFirst(names.flatMap((each) => newestRuns(paths, each, limit))).slice(0, limit);
}

/** The last run of each changeling. */
export function readLastRuns(paths: InstallationPaths): RecordedRun[] {
  return recordedNames(paths).flatMap((name) => newestRuns(paths, name, 1));
}

/** Usually the end of the records is enough, which may be a megabyte long. */
function newestRuns(paths: InstallationPaths, name: string, limit: number): RecordedRun[] {
  const path = recordsPath(paths, name);
  for (let bytes = recentBytes; ; bytes *= 4) {
    const isWhole = bytes >= sizeOf(path);
    // A run whose first record is not in this part was fired before those in it, and is left out.
    const runs = foldRuns(isWhole ? readLines(paths, name) : linesIn(readTail(path, bytes)));
    if (isWhole || runs.length >= limit) return newestFirst(runs).slice(0, limit);
  }
}

/** All records of one changeling, oldest first. Lines that are not records (half a line, a manual edit) are skipped. */
export function readLines(paths: InstallationPaths, name: string): RecordLine[] {
  return linesIn(readTextIfAny(recordsPath(paths, name)) ?? "");
}

function linesIn(text: string): RecordLine[] {
  return text.split("\n").flatMap((line) => parseLine(line) ?? []);
}

/** The recent records of one changeling, newest first. */
export function* recentLines(paths: InstallationPaths, name: string): Generator<RecordLine> {
  for (const text of readTail(recordsPath(paths, name), recentBytes).split("\n").reverse()) {
    const line = parseLine(text);
    if (line !== undefined) yield line;
  }
}

/**
 * Removes a changeling's older records once the file is too long. Only the scheduler may call it, as the only writer.
 * Readers see either the old or the new file, never a partial one.
 */
export function boundRecords(paths: InstallationPaths, name: string): void {
  const path = recordsPath(paths, name);
  if (sizeOf(path) <= mostBytes) return;
  const lines = readLines(paths, name);
  const runs = foldRuns(lines);
  const open = new Set(runs.flatMap((run) => (run.outcome === undefined || run.agentIsKept ? run.id : [])));
  for (let count = keptRuns; ; count = Math.floor(count / 2)) {
    const newest = new Set(runs.slice(-count).map(({ id }) => id));
    const kept = lines.filter((line) => line.event !== "queued" && (newest.has(line.id) || open.has(line.id)));
    const text = kept.map((line) => `${JSON.stringify(line)}\n`).join("");
    if (text.length > mostBytes / 2 && count > 1) continue;
    writePrivateFile(path, text);
    return;
  }
}

/**
 * Moves the history of a changeling to its new name: its records and its runs' files. Call it only while no scheduler
 * writes records of either name. Succeeds if the history was already moved.
 */
export function renameHistory(paths: InstallationPaths, former: string, name: string): void {
  const lines = readLines(paths, former);
  if (lines.length > 0) {
    const all = [...lines.map((line) => ({ ...line, changeling: name })), ...readLines(paths, name)];
    writePrivateFile(recordsPath(paths, name), all.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
  rmSync(recordsPath(paths, former), { force: true });
  const folder = join(paths.runs, former);
  if (!existsSync(folder)) return;
  ensureFolder(join(paths.runs, name));
  for (const id of readdirSync(folder)) renameSync(join(folder, id), join(paths.runs, name, id));
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Waits until a run's records show its end.
 *
 * @param onProgress called with the run whenever something new is recorded
 * @throws if no scheduler is alive that could end it
 */
export function waitForRun(
  paths: InstallationPaths,
  name: string,
  id: string,
  onProgress?: (run: Run) => void,
): Promise<Run> {
  ensureFolder(paths.records);
  return new Promise((resolve, reject) => {
    let seen = "";
    const finish = (how: () => void) => {
      unwatch();
      clearInterval(timer);
      how();
    };
    const check = () => {
      const run = readRuns(paths, name).find((each) => each.id === id);
      if (run === undefined) return;
      const now = JSON.stringify(run);
      if (now !== seen) onProgress?.(run);
      seen = now;
      if (run.outcome !== undefined) finish(() => resolve(run));
    };
    const unwatch = watchFolder(paths.records, check);
    // A crashed scheduler is restarted within seconds, so give up only if it stays away.
    let absences = 0;
    const timer = setInterval(() => {
      absences = schedulerState(paths).alive ? 0 : absences + 1;
      check();
      if (absences < 6) return;
      finish(() =>
        reject(new Error(`${id} can't end, because the scheduler is not running; start it with: ${upCommand()}`)),
      );
    }, 5000);
    check();
  });
}

function recordedNames(paths: InstallationPaths): string[] {
  return namesIn(paths.records)
    .filter((file) => file.endsWith(".jsonl"))
    .map((file) => basename(file, ".jsonl"));
}

function recordsPath(paths: InstallationPaths, name: string): string {
  return join(paths.records, `${name}.jsonl`);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
