/** Tests a store in SQLite on a full disk: `node full-store-program.ts FOLDER`, where FOLDER is a mount. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../components/seed-agent/program/store/open.ts";
import type { NewChange } from "../../components/seed-agent/program/store/store.ts";

const [folder = ""] = process.argv.slice(2);
const filler = join(folder, "filler");
const submission: NewChange = {
  ...{ files: { "handle.ts": "x".repeat(2000) }, summary: "Fill it", answers: "same", base: "v0" },
  ...{ author: "owner", activation: "by a person" },
};

let store = await openStore({ folder });
const acknowledged = [(await store.submit(submission)).id];
const file = openSync(filler, "a");
try {
  for (;;) writeSync(file, Buffer.alloc(1024));
} catch {
  closeSync(file);
}
let full = "";
// What was set aside for the journal still has room.
for (let count = 0; full === "" && count < 1000; count += 1) {
  try {
    acknowledged.push((await store.submit(submission)).id);
  } catch (error) {
    full = String(error);
  }
}
const list = async () => (await store.changes({ limit: 1000 })).map(({ id }) => id).toReversed();
const during = await list();
await store.close();
rmSync(filler);
store = await openStore({ folder });
const kept = await list();
const after = (await store.submit(submission)).id;
await store.close();
process.stdout.write(JSON.stringify({ full, acknowledged, kept: kept.length === during.length ? kept : [], after }));
