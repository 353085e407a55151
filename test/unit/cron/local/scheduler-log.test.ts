import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLog } from "../../../../components/host/log.ts";

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

it.skipIf(!existsSync("/dev/full"))("on a full disk, lines are dropped and counted, and nothing crashes", () => {
  mkdirSync(dirname(file));
  symlinkSync("/dev/full", file);
  const log = openLog(file);
  log("lost");
  log("lost too");
  rmSync(file);
  log("kept");
  log("kept too");
  expect(
    readFileSync(file, "utf8")
      .replaceAll(/\d{4}-\S+Z/g, "TIME")
      .trim()
      .split("\n"),
  ).toEqual([
    expect.stringMatching(/^TIME 2 lines could not be written here since TIME: ENOSPC/),
    "TIME kept",
    "TIME kept too",
  ]);
});

it("an agent's text can't forge a line, or reach a terminal as an escape sequence", () => {
  openLog(file)("its server is \u001b[2Jgone\r\n2026-01-01 all is well");
  expect(readFileSync(file, "utf8")).toMatch(/^\S+Z its server is {2}\[2Jgone {2}2026-01-01 all is well\n$/);
});
