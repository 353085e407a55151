import { appendFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { ensureFolder } from "./files.ts";

/** Writes one line per event, with its time in UTC. Callers never pass secrets. It never throws. */
export type Log = (event: string) => void;

/** The approximate size limit of the log, and of the previous one. */
const mostBytes = 1_000_000;

/** Lines that could not be written. */
export interface Lost {
  count: number;
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly reason: string;
}

export interface AppenderOptions {
  /** The file's folder is created if necessary. */
  readonly path: string;
  /** The size at which a new file is started. */
  readonly maxBytes?: number;
  /** The line that reports how many are missing, without its newline. */
  readonly gap: (lost: Lost) => string;
}

/**
 * Appends lines to a private file of bounded size. A full disk must not end the program that writes: lines that can't
 * be written are dropped, and a later line reports how many are missing. It never throws.
 */
export function openAppender({ path, maxBytes = mostBytes, gap }: AppenderOptions): (lines: readonly string[]) => void {
  let lost: Lost | undefined;
  return (lines) => {
    if (lines.length === 0) return;
    try {
      ensureFolder(dirname(path));
      if (sizeOf(path) > maxBytes) renameSync(path, `${path}.1`);
      // The last write may have been cut off in the middle of a line.
      const before = lost === undefined ? "" : `\n${gap(lost)}\n`;
      appendFileSync(path, `${before}${lines.join("\n")}\n`, { mode: 0o600 });
      lost = undefined;
    } catch (error) {
      lost ??= { count: 0, since: new Date().toISOString(), reason: reasonOf(error) };
      lost.count += lines.length;
    }
  };
}

/** @param path of the file; its folder is created if necessary */
export function openLog(path: string): Log {
  const append = openAppender({ path, gap: (lost) => lineOf(gapText(lost)) });
  return (event) => append([lineOf(event)]);
}

function lineOf(event: string): string {
  return `${new Date().toISOString()} ${event.replace(/\p{Cc}/gu, " ")}`;
}

function gapText({ count, since, reason }: Lost): string {
  return `${count} ${count === 1 ? "line" : "lines"} could not be written here since ${since}: ${reason}`;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
