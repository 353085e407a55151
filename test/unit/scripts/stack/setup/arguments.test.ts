import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readArguments, usages } from "../../../../../scripts/stack/setup/arguments.mjs";
import { checkout } from "../../../../../scripts/stack/setup/cache.mjs";

/** Reads arguments; what is printed, and the exit code, if that is all there is to do. */
function read(command: string, ...args: string[]) {
  const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const err = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    const found = readArguments(command, args);
    const text = (spy: typeof out) => spy.mock.calls.map(([each]) => String(each)).join("");
    return { found, code: process.exitCode, stdout: text(out), stderr: text(err) };
  } finally {
    process.exitCode = before;
    out.mockRestore();
    err.mockRestore();
  }
}

afterEach(() => vi.restoreAllMocks());

describe.each(Object.entries(usages))("the arguments of %s", (command, { examples }) => {
  it.each(["--help", "-h"])("with %s, the help with an example is all", (option) => {
    const { found, code, stdout, stderr } = read(command, option);
    expect({ found, code, stderr }).toEqual({ found: null, code: 0, stderr: "" });
    expect(stdout).toContain(`Examples:\n  ${examples[0]}\n`);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(125);
  });
});

describe.each(Object.keys(usages).filter((name) => name !== "test"))("the arguments of %s", (command) => {
  it.each([
    ["--nope", "unknown option --nope"],
    ["--no-color", "unknown option --no-color"],
    ["--constructor", "unknown option --constructor"],
    ["-x", "unknown option -x"],
    ["nope", 'unexpected argument "nope"'],
    ["--help=yes", "option --help takes no value"],
  ])("%s is an error", (option, problem) => {
    const { found, code, stdout, stderr } = read(command, option);
    expect({ found, code, stdout }).toEqual({ found: null, code: 2, stdout: "" });
    expect(stderr.startsWith(`error: ${problem}\n\nUsage: npm `)).toBe(true);
  });
});

it.each([
  ["emulator", ["--reach"], "option --reach needs a port"],
  ["emulator", ["--reach="], "option --reach needs a port"],
  ["stop", ["--data=no"], "option --data takes no value"],
])("the wrong value %s %j is an error", (command, args, problem) => {
  expect(read(command, ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(`error: ${problem}\n`) });
});

it.each([
  ["stop", ["--data"], { values: { data: true }, operands: [] }],
  ["bench", ["engine", "quick"], { values: {}, operands: ["engine", "quick"] }],
  ["emulator", ["--reach", "1", "--reach=2", "--json"], { values: { reach: ["1", "2"], json: true }, operands: [] }],
  ["setup", ["--for", "packages"], { values: { for: "packages" }, operands: [] }],
  ["release", ["micro", "--dry-run"], { values: { "dry-run": true }, operands: ["micro"] }],
  ["test", ["--project", "unit", "-t", "x"], { values: {}, operands: ["--project", "unit", "-t", "x"] }],
])("%s %j is read", (command, args, expected) => {
  const { found } = read(command, ...args);
  expect({ values: { ...found?.values }, operands: found?.operands }).toEqual(expected);
});

it("the help of the bench names its suites", () => {
  const source = readFileSync(join(checkout, "scripts/dev/bench.ts"), "utf8");
  const suites = [...source.matchAll(/^ {2}"?([\w-]+)"?: \w+Measures,/gm)].map(([, name = ""]) => name);
  expect(suites).toEqual(Object.keys(usages["bench"]?.operands ?? {}));
});
