import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isDiskFull, readTextIfAny, writePrivateFile, writeWholeFile } from "../../../components/host/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "whole-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const components = fileURLToPath(new URL("../../../components/", import.meta.url));

/**
 * Runs code where no file can grow past 4096 bytes: as on a disk that is nearly full, a write that crosses the limit
 * takes a part of what it is given, without an error, and the next one fails.
 */
function nearlyFull(code: string, ...args: string[]): string {
  const script = 'ulimit -f 8; exec "$0" --input-type=module -e "$@"';
  const env = { PATH: `${process.env["PATH"]}`, COMPONENTS: components };
  return execFileSync("/bin/sh", ["-c", script, process.execPath, code, ...args], { env, encoding: "utf8" });
}

const long = "x".repeat(6000);

describe("a file on a disk that fills up half-way", () => {
  it("keeps what it held, and the error names it", () => {
    const file = join(folder, "a.json");
    writePrivateFile(file, "before");
    const code = `
      const { writePrivateFile } = await import(process.env.COMPONENTS + "host/files.ts");
      try { writePrivateFile(process.argv[1], "x".repeat(6000)); console.log("written"); }
      catch (error) { console.log(error.constructor.name + ": " + error.message); }`;
    expect(nearlyFull(code, file)).toBe(`DiskFullError: the disk is full: ${file} could not be written (EFBIG)\n`);
    expect(readFileSync(file, "utf8")).toBe("before");
    expect(readdirSync(folder)).toEqual(["a.json"]);
  });

  it("loses no line of records that was there, and holds no part of one", () => {
    const code = `
      const { appendRecord, readLines } = await import(process.env.COMPONENTS + "cron/local/records.ts");
      const { installationPaths } = await import(process.env.COMPONENTS + "host/installation-paths.ts");
      const paths = installationPaths("test", process.argv[1]);
      const line = (id, reason) => ({ event: "ended", at: "t", changeling: "a", id, outcome: "failed", reason, commits: [] });
      appendRecord(paths, line("1", "y"));
      try { appendRecord(paths, line("2", "x".repeat(6000))); console.log("written"); }
      catch (error) { console.log(error.message); }
      appendRecord(paths, line("3", "z"));
      console.log(readLines(paths, "a").map(({ id }) => id).join());`;
    const records = join(folder, ".changelings/test/records/a.jsonl");
    expect(nearlyFull(code, folder)).toBe(`the disk is full: ${records} could not be written (EFBIG)\n1,3\n`);
    expect(readFileSync(records, "utf8").split("\n")).toHaveLength(3);
  });
});

describe("writeWholeFile", () => {
  it("keeps a symlink, and the mode of what it leads to", () => {
    const [file, link] = [join(folder, "file"), join(folder, "link")];
    writeFileSync(file, "before");
    chmodSync(file, 0o640);
    symlinkSync("file", link);
    writeWholeFile(link, long);
    expect(readFileSync(file, "utf8")).toBe(long);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).sort()).toEqual(["file", "link"]);
  });

  it("leaves nothing behind where it may not write", () => {
    expect(() => writeWholeFile(join(folder, "none", "file"), "x")).toThrow("ENOENT");
    expect(readTextIfAny(join(folder, "none", "file"))).toBeUndefined();
  });
});

it("isDiskFull checks the disk of the nearest existing folder", () => {
  expect(isDiskFull(join(folder, "not", "there"))).toBe(false);
});
