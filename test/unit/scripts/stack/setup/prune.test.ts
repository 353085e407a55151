import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { pruneCache } from "../../../../../scripts/stack/setup/prune.ts";
import { readToolchain, toolchainFile } from "../../../../../scripts/stack/setup/toolchain.mjs";
import { useMachine, writeProgram } from "../../../../support/setup.ts";

const machine = useMachine();
const hourMs = 3600_000;

function write(path: string, content: string, { hoursAgo }: { readonly hoursAgo: number }): string {
  const file = join(machine.cache, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  age(file, hoursAgo);
  return file;
}

function age(path: string, hours: number): void {
  const at = new Date(Date.now() - hours * hourMs);
  utimesSync(path, at, at);
}

/** A PULUMI_HOME that setup made. */
function home(name: string, { hoursAgo, complete = true }: { readonly hoursAgo: number; readonly complete?: boolean }) {
  const folder = join(machine.cache, "pulumi-home", name);
  write(`pulumi-home/${name}/plugins/plugin.cjs`, "x", { hoursAgo });
  if (complete) write(`pulumi-home/${name}/.complete`, "", { hoursAgo });
  age(folder, hoursAgo);
  return folder;
}

const record = (name: string) => JSON.stringify({ pulumiHome: join(machine.cache, "pulumi-home", name) });

test("a PULUMI_HOME is removed a day after the last version that uses it has run, and no other", async () => {
  const old = { hoursAgo: 30 };
  for (const name of ["own", "other", "former", "unrecorded"]) home(name, old);
  home("just-made", { hoursAgo: 1 });
  home("being-made", { ...old, complete: false });
  write(`toolchain/${basename(toolchainFile())}`, record("own"), old);
  write("toolchain/1.json", record("other"), { hoursAgo: 2 });
  write("toolchain/2.json", record("former"), old);
  write("toolchain/3.json", "{", { hoursAgo: 2 });
  await pruneCache();
  const homes = readdirSync(join(machine.cache, "pulumi-home"));
  expect(homes.sort()).toEqual(["being-made", "just-made", "other", "own"]);
  expect(readdirSync(dirname(toolchainFile())).sort()).toEqual(["1.json", "3.json", basename(toolchainFile())].sort());
  expect(readdirSync(join(machine.cache, "locks"))).toEqual([]);
});

test("the launcher notes the use of a version, and a cache that it may not write is no obstacle", () => {
  const program = writeProgram(machine.bin, "any", "exit 0");
  const folder = home("own", { hoursAgo: 30 });
  mkdirSync(join(folder, "plugins/resource-command-v1.2.1"));
  const found = {
    ...{ node: program, pulumi: program, python: program, mngr: program, modal: program },
    ...{ pulumiHome: folder, ownPulumiHome: join(machine.home, ".pulumi"), needs: [] },
  };
  const file = write(`toolchain/${basename(toolchainFile())}`, JSON.stringify(found), { hoursAgo: 30 });
  expect(readToolchain()).toEqual(found);
  expect(Date.now() - statSync(file).mtimeMs).toBeLessThan(hourMs);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(found);
});

test("of compiled code, what was not used for the longest time is removed beyond a limit", async () => {
  const entry = (name: string, hoursAgo: number, version = "v24.1.0-x64") =>
    write(`node-compile-cache/${version}/${name}`, "x".repeat(100_000), { hoursAgo });
  const read = entry("read-today", 100);
  utimesSync(read, new Date(), statSync(read).mtime);
  const files = [entry("newest", 1), read, entry("new", 20), entry("old", 50), entry("oldest", 60, "v22.1.0-x64")];
  const foreign = write("node-compile-cache/note", "x".repeat(100_000), { hoursAgo: 100 });
  const marker = write("node-compile-cache/daemons/0123456789abcdef", "", { hoursAgo: 1 });
  // A file elsewhere that a link in the cache leads to.
  const elsewhere = write("../elsewhere/oldest", "x".repeat(100_000), { hoursAgo: 100 });
  symlinkSync(dirname(elsewhere), join(dirname(read), "link"));
  symlinkSync(dirname(elsewhere), join(dirname(foreign), "v24.1.0-link"));
  const left = () => files.filter(existsSync).map((file) => basename(file));
  await pruneCache({ most: 600_000 });
  expect([left().length, existsSync(marker)]).toEqual([5, true]);
  await pruneCache({ most: 450_000 });
  expect(left()).toEqual(["newest", "read-today", "new"]);
  expect([existsSync(foreign), existsSync(marker), existsSync(elsewhere)]).toEqual([true, false, true]);
});
