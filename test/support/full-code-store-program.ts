/** Tests a code store on a full disk: `node full-code-store-program.ts FOLDER`, where FOLDER is a mount. */
import { closeSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DiskFull } from "../../components/seed-agent/program/code-store/code-store.ts";
import { DiskCodeStore } from "../../components/seed-agent/program/code-store/disk.ts";
import { versionOf } from "./code-versions.ts";

const [mount = ""] = process.argv.slice(2);
const folder = join(mount, "code");
const filler = join(mount, "filler");

function fill(): void {
  const file = openSync(filler, "a");
  try {
    for (;;) writeSync(file, Buffer.alloc(256));
  } catch {
    closeSync(file);
  }
}

async function attempt(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "done";
  } catch (error) {
    return error instanceof DiskFull ? "DiskFull" : String(error);
  }
}

const store = new DiskCodeStore({ folder });
await store.open();
await store.write(versionOf(1));
await store.activate("v1");
await store.markGood("v1");
await store.beginStart();
await store.write(versionOf(2));
const before = store.active();
fill();
const write = await attempt(() => store.write(versionOf(3)));
const activate = await attempt(() => store.activate("v2"));
const check = await attempt(() => store.check());
await store.close();
// It starts on a full disk.
const again = new DiskCodeStore({ folder });
const { versions, setAside } = await again.open();
const active = again.active();
const { starts: start } = await again.beginStart();
const leftovers = readdirSync(join(folder, "aside"));
rmSync(filler);
await again.write(versionOf(3));
await again.activate("v3");
const after = [again.active(), again.lastGood()];
process.stdout.write(
  JSON.stringify({ before, write, activate, check, active, start, versions, setAside, leftovers, after }),
);
