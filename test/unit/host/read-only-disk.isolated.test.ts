import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { ensureFolder } from "../../../components/host/files.ts";

// As Node does it on a disk that is mounted read-only.
vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  mkdirSync(path: string, options: { recursive?: boolean }) {
    const code = options.recursive ? "ENOENT" : "EROFS";
    throw Object.assign(new Error(`${code}: mkdir '${path}'`), { code });
  },
}));

it("a folder that can't be made on a read-only disk is not reported as missing", () => {
  expect(() => ensureFolder(join(tmpdir(), "no-such-folder", "inner"))).toThrow("EROFS");
});
