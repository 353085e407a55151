import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeId } from "../../../../components/seed-agent/program/cluster/node-id.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "node-id-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("is SEED_NODE, else the machine's id, else the host name with a suffix", async () => {
  expect(await nodeId({ given: "one", machine: "d8914", folder, host: "pod-0" })).toBe("one");
  expect(await nodeId({ machine: "d8914", folder, host: "pod-0" })).toBe("d8914");
  expect(await nodeId({ folder, host: "pod-0" })).toMatch(/^pod-0-[0-9a-f]{8}$/);
});

test("is saved on disk, and generated again if the file is broken", async () => {
  const first = await nodeId({ folder, host: "pod-0" });
  expect(await nodeId({ folder, host: "renamed" })).toBe(first);
  expect(readFileSync(join(folder, "node"), "utf8")).toBe(`${first}\n`);
  writeFileSync(join(folder, "node"), "\0\0\0");
  const second = await nodeId({ folder, host: "pod-0" });
  expect(second).not.toBe(first);
  expect(await nodeId({ folder, host: "pod-0" })).toBe(second);
});

test("is valid even for a strange host name", async () => {
  expect(await nodeId({ folder, host: `-ä b/${"x".repeat(300)}` })).toMatch(/^[A-Za-z0-9][\w.-]{1,62}$/);
});

test("rejects a SEED_NODE that is not valid", async () => {
  await expect(nodeId({ given: "a b", folder })).rejects.toThrow(/SEED_NODE: "a b"/);
});
