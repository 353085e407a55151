/**
 * Works on a code store, and dies at one step of it: `node code-store-program.ts FOLDER STEP OPERATION…`. Before each
 * operation it prints a line, and after it another one. STEP counts calls of the file system. When it dies, what was
 * written but not synced is lost, as with the machine's power. Without such a step it prints "end".
 */
import fsSync from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { versionOf } from "./code-versions.ts";

const [folder = "", step = "", ...operations] = process.argv.slice(2);
let steps = 0;
/** A second descriptor of each file that is not on disk yet. */
const unsynced = new Map<FileHandle, number>();

function die(): void {
  for (const descriptor of unsynced.values()) fsSync.ftruncateSync(descriptor, 0);
  process.kill(process.pid, "SIGKILL");
}

function count(): void {
  steps += 1;
  if (steps > Number(step)) die();
}

const realRm = fs.rm;
const realReaddir = fs.readdir;
Object.assign(fs, {
  // One file after another.
  rm: async (path: string, options: object) => {
    for (const name of await realReaddir(path).catch(() => [])) {
      count();
      await realRm(`${path}/${name}`, options);
    }
    count();
    await realRm(path, options);
    count();
  },
});
for (const name of ["rename", "mkdir", "link", "readdir"] as const) {
  const real: (...args: never[]) => unknown = fs[name];
  Object.assign(fs, {
    [name]: async (...args: never[]) => {
      count();
      const result = await real(...args);
      count();
      return result;
    },
  });
}
const realOpen = fs.open;
Object.assign(fs, {
  open: async (path: string, flags: string | number, mode?: number) => {
    count();
    const file = await realOpen(path, flags, mode);
    if (flags !== "wx") return file;
    unsynced.set(file, fsSync.openSync(path, "r+"));
    const { sync, writeFile } = file;
    return Object.assign(file, {
      writeFile: async (text: string) => {
        count();
        // A half-written file is as likely.
        await writeFile.call(file, text.slice(0, text.length / 2));
        count();
        await writeFile.call(file, text.slice(text.length / 2));
      },
      sync: async () => {
        count();
        await sync.call(file);
        const descriptor = unsynced.get(file);
        if (descriptor !== undefined) fsSync.closeSync(descriptor);
        unsynced.delete(file);
        count();
      },
    });
  },
});
syncBuiltinESMExports();

const { DiskCodeStore } = await import("../../components/seed-agent/program/code-store/disk.ts");
const say = (line: string) => fsSync.writeSync(1, `${line}\n`);
const store = new DiskCodeStore({ folder });
await store.open();
say("open");
for (const operation of operations) {
  say(`begin ${operation}`);
  const [name = "", number = "0"] = operation.split(" ");
  if (name === "write") await store.write(versionOf(Number(number)));
  if (name === "activate") await store.activate(`v${number}`);
  if (name === "good") await store.markGood(`v${number}`);
  if (name === "start") await store.beginStart();
  if (name === "started") await store.markStarted();
  if (name === "prune") await store.prune(new Set([`v${number}`]));
  say(`done ${operation}`);
}
say(`end ${steps}`);
