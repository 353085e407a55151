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
  isMissing,
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

/** A changeling's records are cut to their newer half when they have grown past this. */
const mostBytes = 1_000_000;
const mostRuns = 1000;
/** What happened lately is in the last so many bytes. */
const recentBytes = 64_000;

/**
 * Adds one line, whole or not at all, and has it on the disk before it returns.
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
    // A crash may have left half a line: it must not swallow this one.
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

/** All that was recorded of one changeling, oldest first; what is not a record (half a line, a hand's edit) is passed over. */
export function readLines(paths: InstallationPaths, name: string): RecordLine[] {
  return (readTextIfAny(recordsPath(paths, name)) ?? "").split("\n").flatMap((line) => parseLine(line) ?? []);
}

/** What was recorded of one changeling lately, newest first. */
export function* recentLines(paths: InstallationPaths, name: string): Generator<RecordLine> {
  for (const text of readTail(recordsPath(paths, name), recentBytes).split("\n").reverse()) {
    const line = parseLine(text);
    if (line !== undefined) yield line;
  }
}

/**
 * Cuts a changeling's records when they have grown too long; for the scheduler alone, which is their only writer.
 * Readers see the old or the new file, never half of one.
 */
export function boundRecords(paths: InstallationPaths, name: string): void {
  const path = recordsPath(paths, name);
  if (sizeOf(path) <= mostBytes) return;
  const lines = readLines(paths, name);
  const runs = foldRuns(lines);
  const isOpen = (id: string) => runs.some((run) => run.id === id && (run.outcome === undefined || run.agentIsKept));
  for (let count = mostRuns / 2; ; count = Math.floor(count / 2)) {
    const newest = new Set(runs.slice(-count).map(({ id }) => id));
    const kept = lines.filter((line) => line.event !== "queued" && (newest.has(line.id) || isOpen(line.id)));
    const text = kept.map((line) => `${JSON.stringify(line)}\n`).join("");
    if (text.length > mostBytes / 2 && count > 1) continue;
    writePrivateFile(path, text);
    return;
  }
}

/**
 * Gives the history of a changeling to the one that it was renamed to: its records, and what its runs left. Only while no
 * scheduler writes records of either. Succeeds when it was done before.
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
 * Waits for a run's end, told by its records.
 *
 * @param onProgress called with the run whenever something was recorded of it
 * @throws when no scheduler is alive that could end it
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
    const look = () => {
      const run = readRuns(paths, name).find((each) => each.id === id);
      if (run === undefined) return;
      const now = JSON.stringify(run);
      if (now !== seen) onProgress?.(run);
      seen = now;
      if (run.outcome !== undefined) finish(() => resolve(run));
    };
    const unwatch = watchFolder(paths.records, look);
    // The scheduler is restarted within seconds of a crash, so it is only given up when it stays away.
    let absences = 0;
    const timer = setInterval(() => {
      absences = schedulerState(paths).alive ? 0 : absences + 1;
      look();
      if (absences < 6) return;
      finish(() =>
        reject(new Error(`nothing will end ${id}: the scheduler is not running; start it with: ${upCommand()}`)),
      );
    }, 5000);
    look();
  });
}

function recordedNames(paths: InstallationPaths): string[] {
  try {
    return readdirSync(paths.records)
      .filter((file) => file.endsWith(".jsonl"))
      .map((file) => basename(file, ".jsonl"));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function recordsPath(paths: InstallationPaths, name: string): string {
  return join(paths.records, `${name}.jsonl`);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
