import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { settingsFile } from "../../../components/git/settings-file.ts";

const folder = mkdtempSync(join(tmpdir(), "settings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  "plain",
  "",
  " spaces around ",
  'quotes "and" \\backslashes\\',
  "a # comment; not",
  "two\nlines\tand a tab",
  "[section]\nx = y",
  "ä 漢 🙂",
  '!f() { test "$1" = get && echo "password=$GITHUB_TOKEN"; }; f',
])("git reads %j as it was written", (value) => {
  const file = join(folder, "settings");
  const of = 'https://example.org:8443/"\\x';
  const sections = [
    { section: "user", values: { name: value, email: "a@example.org" } },
    { section: "credential", of, values: { helper: value } },
  ];
  writeFileSync(file, settingsFile(sections));
  const get = (key: string) => execFileSync("git", ["config", "--null", "--file", file, "--get", key]).toString();
  expect(get("user.name")).toBe(`${value}\0`);
  expect(get("user.email")).toBe("a@example.org\0");
  expect(get(`credential.${of}.helper`)).toBe(`${value}\0`);
});
