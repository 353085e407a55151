import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type SandboxFiles, sandboxFiles } from "../../../../components/sandbox/local/files.ts";
import { type LocalPaths, localPaths } from "../../../../components/sandbox/local/paths.ts";
import { localSpares } from "../../../../components/sandbox/local/spares.ts";

let folder: string;
let paths: LocalPaths;
const files = sandboxFiles(undefined);
const names = () => (existsSync(paths.spares) ? readdirSync(paths.spares) : []);
/** Takes a copy for a sandbox. @returns its content */
const taken = () => {
  const sandbox = mkdtempSync(join(folder, "sandbox-"));
  return localSpares(paths).take("s", sandbox) ? readFileSync(join(sandbox, "files/file"), "utf8") : undefined;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spares-"));
  paths = localPaths(folder);
  mkdirSync(join(paths.snapshots, "s/files"), { recursive: true });
  writeFileSync(join(paths.snapshots, "s/files/file"), "content");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a copy is made once, and given to one sandbox", async () => {
  expect(taken()).toBeUndefined();
  const spares = localSpares(paths, 0);
  spares.refill("s", files);
  spares.refill("s", files);
  await vi.waitFor(() => expect(names()).toEqual(["s"]), 15_000);
  expect([taken(), taken()]).toEqual(["content", undefined]);
  expect(names()).toEqual([]);
  expect(readFileSync(join(paths.snapshots, "s/files/file"), "utf8")).toBe("content");
});

test("a copy that fails, or whose snapshot is removed meanwhile, is not kept", async () => {
  const [begun, copying] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow: SandboxFiles = {
    ...files,
    copy: async (from, to) => {
      await files.copy(from, to);
      begun.resolve();
      await copying.promise;
    },
  };
  const spares = localSpares(paths, 0);
  spares.refill("s", slow);
  await begun.promise;
  await files.discard(join(paths.snapshots, "s"));
  const removed = spares.remove("s", files);
  copying.resolve();
  await removed;
  expect(names()).toEqual([]);
  const failed = Promise.withResolvers<void>();
  const failing: SandboxFiles = {
    ...files,
    copy: async () => {
      failed.resolve();
      throw new Error("disk full");
    },
  };
  mkdirSync(join(paths.snapshots, "s"));
  spares.refill("s", failing);
  await failed.promise;
  await spares.remove("s", files);
  expect(names()).toEqual([]);
});

test("a copy that nobody needs any more is not begun", async () => {
  const spares = localSpares(paths, 3_600_000);
  spares.refill("s", files);
  await spares.remove("s", files);
  expect(names()).toEqual([]);
});

test("what is left of a snapshot that is gone is swept", async () => {
  for (const name of ["s", "gone", ".4194305.half-made"])
    mkdirSync(join(paths.spares, name, "files"), { recursive: true });
  await localSpares(paths).sweep(files);
  expect(names()).toEqual(["s"]);
});
