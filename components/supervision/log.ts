import { appendFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { ensureFolder } from "../files.ts";

/** One line per event, with its time in UTC. No secret is ever handed to it. It never throws. */
export type Log = (event: string) => void;

/** The log and the one before it are each at most about this long. */
const mostBytes = 1_000_000;

/** Lines that could not be written. */
interface Lost {
  readonly since: string;
  readonly reason: string;
  count: number;
}

/**
 * A full disk must not end the program that logs: a line that can't be written is dropped, and once there is room again
 * the log says how many are missing.
 *
 * @param path of the file; its folder is made when needed
 * @param options.maxBytes of the file before a new one is begun
 */
export function openLog(path: string, { maxBytes = mostBytes }: { readonly maxBytes?: number } = {}): Log {
  let lost: Lost | undefined;
  return (event) => {
    const now = new Date().toISOString();
    const line = `${now} ${event.replace(/\p{Cc}/gu, " ")}\n`;
    try {
      ensureFolder(dirname(path));
      if (sizeOf(path) > maxBytes) renameSync(path, `${path}.1`);
      // What was written last may have been cut in the middle of a line.
      const gap = lost === undefined ? "" : `\n${now} ${gapText(lost)}\n`;
      appendFileSync(path, gap + line, { mode: 0o600 });
      lost = undefined;
    } catch (error) {
      lost ??= { since: now, reason: reasonOf(error), count: 0 };
      lost.count += 1;
    }
  };
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
