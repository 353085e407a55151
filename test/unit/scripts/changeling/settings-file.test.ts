import { expect, test } from "vitest";
import { settingsInFile } from "../../../../scripts/changeling/settings-file.ts";
import { Sandbox } from "../../../support/fleet-sandbox.ts";

const settingsIn = (...lines: string[]) => {
  using sandbox = new Sandbox();
  return settingsInFile(sandbox.write("Pulumi.dev.yaml", `${lines.join("\n")}\n`));
};
const salt = "encryptionsalt: v1:zNZiBC26KNc=:v1:4YFRiMS5YfoULT1u:FrvSc5GQ1k5ADid2RTS5ZS38ObTh7g==";

test("settings are read as npm start and `pulumi config set` write them, without Pulumi", () => {
  const settings = settingsIn(
    salt,
    "config:",
    '  changelings:config: "~/.changelings/dev/fleet.toml"',
    "  changelings:repo: ~/.changelings/dev/demo-repo",
    "  changelings:KEY:",
    "    secure: v1:DlmZSszBHMOC4mU1:IF1IJN2NqpdVOaZTvsS1JlVzMCXb56s=",
    '  changelings:number: "5"',
    '  changelings:quotes: "a \\"b\\" \\\\c"',
    "  changelings:timezone: Europe/Berlin",
  );
  expect(settings).toEqual({
    "changelings:config": { value: "~/.changelings/dev/fleet.toml", secret: false },
    "changelings:repo": { value: "~/.changelings/dev/demo-repo", secret: false },
    "changelings:KEY": { secret: true },
    "changelings:number": { value: "5", secret: false },
    "changelings:quotes": { value: 'a "b" \\c', secret: false },
    "changelings:timezone": { value: "Europe/Berlin", secret: false },
  });
});

test.each([
  ["an environment", [salt, "environment:", "  - other", "config:", "  a:b: c"]],
  ["no salt", ["config:", "  a:b: c"]],
  ["no settings", [salt]],
  ["single quotes", [salt, "config:", "  a:b: 'x: y # z'"]],
  ["a comment", [salt, "config:", "  a:b: c # d"]],
  ["a number", [salt, "config:", "  a:b: 5"]],
  ["a truth value", [salt, "config:", "  a:b: yes"]],
  ["null", [salt, "config:", "  a:b: ~"]],
  ["an escape", [salt, "config:", '  a:b: "\\u00e9"']],
  ["an object", [salt, "config:", "  a:b:", "    c: d"]],
  ["a text of several lines", [salt, "config:", "  a:b: c", "    d"]],
  ["an anchor", [salt, "config:", "  a:b: &c d"]],
])("a file with %s is left to Pulumi", (_, lines) => {
  expect(settingsIn(...lines)).toBe(undefined);
});

test("so is a file that does not exist", () => {
  expect(settingsInFile("/nonexistent/Pulumi.dev.yaml")).toBe(undefined);
});
