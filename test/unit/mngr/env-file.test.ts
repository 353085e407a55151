import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { envFileText } from "../../../components/mngr/env-file.ts";
import { pythonOfMngr } from "../../support/python-of-mngr.ts";

describe("envFileText", () => {
  it("leaves plain values plain", () => {
    expect(envFileText({ A: "sk-ant_1/2=3", B: "" })).toBe('A="sk-ant_1/2=3"\nB=""\n');
  });

  it.each(["1A", "A-B", "", "A=B", "A\nB"])("refuses %j as a name", (name) => {
    expect(() => envFileText({ [name]: "x" })).toThrow(`"${name}" is not a name for an environment variable`);
  });

  it("refuses a NUL, and does not say the value", () => {
    expect(() => envFileText({ A: "hush\0" })).toThrow(/^the value of A contains a NUL, which an environment can't$/);
  });

  // Three readers, the real ones: python-dotenv, mngr's writer of the agent's file, and a shell.
  it("brings every value through mngr to the agent as it was", () => {
    const hostile = "\\\"'`$ {}#\n\r\t;&|()<>*?~!=:-abc0\u0085\u2028é😀".match(/./gsu) ?? [];
    const character = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...hostile) },
      { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }) },
    );
    const value = fc.array(character, { maxLength: 12 }).map((characters) => characters.join("").replaceAll("\0", ""));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what dotenv and shells would expand
    const known = ["${HOME}", "a$(id)b", "x\\", "\\'", 'it\'s "here"\n#no comment', "${A:-b}", " lead", "~/x:~/y"];
    const values = [...known, ...fc.sample(value, 400)];
    const variables = Object.fromEntries(values.map((each, index) => [`V${index}`, each]));
    const script = `
import os, subprocess, sys, tempfile, json
from pathlib import Path
from imbue.mngr.hosts.host import _format_env_file
from imbue.mngr.utils.env_utils import parse_env_file
with tempfile.TemporaryDirectory() as folder:
    ours, agents = Path(folder, "ours"), Path(folder, "agents")
    ours.write_bytes(sys.stdin.buffer.read())
    agents.write_text(_format_env_file(parse_env_file(ours.read_text())))
    shell = ["/bin/sh", "-c", 'set -a; . "$1"; exec env -0', "sh", str(agents)]
    sys.stdout.buffer.write(subprocess.run(shell, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, check=True).stdout)
`;
    const printed = execFileSync(pythonOfMngr(), ["-c", script], { input: envFileText(variables), encoding: "utf8" });
    const arrived = Object.fromEntries(
      printed
        .split("\0")
        .filter((line) => /^V\d+=/.test(line))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    expect(arrived).toEqual(variables);
  });
});
