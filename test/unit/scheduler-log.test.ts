import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLog } from "../../components/supervision/log.ts";

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "log-"));
  file = join(home, "folder", "daemon.log");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it("the log is private, one line per event, with its time in UTC", () => {
  const log = openLog(file);
  log("first");
  log("second\nof two lines");
  const lines = readFileSync(file, "utf8").split("\n");
  expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /, "> "))).toEqual([
    "> first",
    "> second of two lines",
    "",
  ]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it("the log and the one before it are bounded", () => {
  const log = openLog(file);
  for (let n = 0; n < 25; n += 1) log("x".repeat(100_000));
  expect(existsSync(`${file}.1`)).toBe(true);
  for (const each of [file, `${file}.1`]) expect(statSync(each).size).toBeLessThan(1_200_000);
});
