import { appendFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { ensureFolder } from "../files.ts";

/** One line per event, with its time in UTC. No secret is ever handed to it. */
export type Log = (event: string) => void;

/** The log and the one before it are each at most about this long. */
const mostBytes = 1_000_000;

/** @param path of the file; its folder is made when needed */
export function openLog(path: string): Log {
  ensureFolder(dirname(path));
  return (event) => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > mostBytes) renameSync(path, `${path}.1`);
    appendFileSync(path, `${new Date().toISOString()} ${event.replaceAll("\n", " ")}\n`, { mode: 0o600 });
  };
}
