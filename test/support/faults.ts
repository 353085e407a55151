/**
 * Preloaded into a scheduler (`node --import faults.ts`) to inject one fault. FAULT names the fault and the file change
 * that triggers it, counting only a run's files (not the scheduler's own state and log):
 *   kill:7     the process is killed (SIGKILL) right before the 7th change
 *   full:7     the 7th change fails once, as on a full disk
 *   full:7:5   it and the 4 after it fail
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [kind, from, many = "1"] = `${process.env["FAULT"]}`.split(":");
const [first, last] = [Number(from), Number(from) + Number(many) - 1];
const pattern = /\.changelings\/(\.run-ids|[^/]+\/(records|runs|requests|scheduler\/env))/;
const isAbout = (path: unknown) => typeof path === "string" && pattern.test(path);
const opened = new Map<number, unknown>();
const original = { ...fs };
let count = 0;
if (kind === "count") process.on("exit", () => process.stderr.write(`${count} changes\n`));

function change(what: string, path: unknown): void {
  count += 1;
  if (count < first || count > last) return;
  if (kind === "kill") process.kill(process.pid, "SIGKILL");
  throw Object.assign(new Error(`ENOSPC: no space left on device, ${what} '${path}'`), { code: "ENOSPC" });
}

const openSync: typeof fs.openSync = (path, flags, mode) => {
  const isChange = isAbout(path) && flags !== "r";
  if (isChange) change("open", path);
  const file = original.openSync(path, flags, mode);
  if (isChange) opened.set(file, path);
  return file;
};
const closeSync: typeof fs.closeSync = (file) => {
  opened.delete(file);
  original.closeSync(file);
};
const fsyncSync: typeof fs.fsyncSync = (file) => {
  if (opened.has(file)) change("fsync", opened.get(file));
  original.fsyncSync(file);
};
const renameSync: typeof fs.renameSync = (path, to) => {
  if (isAbout(path)) change("rename", path);
  original.renameSync(path, to);
};
const linkSync: typeof fs.linkSync = (path, to) => {
  if (isAbout(path)) change("link", path);
  original.linkSync(path, to);
};
// Removals need no disk space, but a crash may precede them.
const rmSync: typeof fs.rmSync = (path, options) => {
  if (kind === "kill" && isAbout(path)) change("rm", path);
  original.rmSync(path, options);
};
function writeSync(file: number, bytes: Uint8Array, at?: number): number {
  if (opened.has(file)) change("write", opened.get(file));
  return original.writeSync(file, bytes, at);
}

Object.assign(fs, { openSync, closeSync, fsyncSync, renameSync, linkSync, rmSync, writeSync });
syncBuiltinESMExports();
