import { execFileSync } from "node:child_process";
import { fstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withSecretFile } from "../../../components/host/secret-file.ts";
import { checkSecretValues } from "../../../components/modal/secret-values.ts";

describe("checkSecretValues", () => {
  it("takes whatever an environment variable can hold", () => {
    checkSecretValues("elf", { A: "", B: "two\nlines", _c1: `'"$HOME\`\\ {x}`, D: "ü 🦊", E: "x".repeat(32_768) });
  });

  it.each<[Record<string, string>, RegExp]>([
    [
      { "A-B": "top-secret" },
      /^the secrets of elf can't be set: "A-B" is not a valid name for an environment variable; /,
    ],
    [
      { A: "top-secret\0" },
      /^the secrets of elf can't be set: the value of A contains characters that an environment variable can't; /,
    ],
    [{ A: "top-secret\ud800" }, /the value of A contains characters that/],
    [
      { A: "b", BIG: "x".repeat(32_769), TOO: "x".repeat(40_000) },
      /set: BIG has 32769 characters, TOO has 40000 characters, and 32768 is Modal's limit for a value; store a large /,
    ],
    [
      { A: "b", B: "x".repeat(32_768), BIG: "xx".repeat(16_384), C: "x" },
      /they take \d+ bytes, and 65536 is the limit; the largest is B; /,
    ],
    [{ A: "\n".repeat(32_768), B: "" }, /the largest is A; /],
  ])("refuses %#", (values, message) => {
    expect(() => checkSecretValues("elf", values)).toThrow(message);
    expect(() => checkSecretValues("elf", values)).not.toThrow("top-secret");
  });
});

describe("withSecretFile", () => {
  it("lends a file that a child reads from its beginning, and that has no name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "secret-file-"));
    const own = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder;
    try {
      const text = "s3cret ü".repeat(20_000);
      const read = await withSecretFile(text, async (file) => {
        expect(readdirSync(folder)).toEqual([]);
        expect(fstatSync(file)).toMatchObject({ nlink: 0 });
        expect(fstatSync(file).mode & 0o777).toBe(0o600);
        const script = "import os; print(open('/dev/fd/3').read(), end='')";
        return execFileSync("python3", ["-c", script], { stdio: ["ignore", "pipe", "inherit", file] }).toString();
      });
      expect(read).toBe(text);
      await expect(withSecretFile("x", async () => Promise.reject(new Error("died")))).rejects.toThrow("died");
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      if (own === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = own;
      rmSync(folder, { recursive: true });
    }
  });
});
