import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { programFolder } from "../../../../components/cron/modal/program-files.ts";
import { envFileText } from "../../../../components/mngr/env-file.ts";
import { pythonOfMngr } from "../../../support/python-of-mngr.ts";

const tests = join(import.meta.dirname, "../../../modal-program");
const env = { ...process.env, PYTHONPATH: programFolder, PYTHONDONTWRITEBYTECODE: "1" };

/** The program that a cron changeling on Modal deploys is Python and shell, and so are its own tests. */
describe("the program on Modal", { timeout: 300_000 }, () => {
  it.concurrent.each([
    "test_texts",
    "test_records",
    "test_fire",
    "test_fire_given",
    "test_prepare",
    "test_watch",
    "test_watch_talk",
    "test_watch_work",
  ])("%s", async (module) => {
    const said = await unittest(module);
    expect(said).toMatch(/\nOK\s*$/);
    // None that was not found would be none that failed.
    expect(Number(/^Ran (\d+) tests/m.exec(said)?.[1])).toBeGreaterThan(5);
  });
});

it("writes the same environment file as this machine does", () => {
  const hostile = "\\\"'`$ {}#\n\r\t;&|()<>*?~!=:-abc0\u007f\u0080\u0085\u2028é😀";
  const character = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...hostile) },
    { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }) },
  );
  const value = fc.array(character, { maxLength: 12 }).map((all) => all.join("").replaceAll("\0", ""));
  const variables = Object.fromEntries(fc.sample(value, 1000).map((each, index) => [`V${index}`, each]));
  const script = `
import json, sys
from env_file import env_file_text
sys.stdout.buffer.write(env_file_text(json.load(sys.stdin)).encode())
`;
  const written = execFileSync(pythonOfMngr(), ["-c", script], {
    env,
    input: JSON.stringify(variables),
    encoding: "utf8",
  });
  expect(written).toBe(envFileText(variables));
});

function unittest(module: string): Promise<string> {
  return new Promise((resolve) => {
    const args = ["-m", "unittest", module];
    execFile(pythonOfMngr(), args, { cwd: tests, env, timeout: 280_000 }, (_error, _stdout, stderr) => resolve(stderr));
  });
}
