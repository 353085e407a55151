import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ensureFolder, writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { endPageLogins } from "../../../../components/sandbox/inspect/end-logins.ts";
import { Logins } from "../../../../components/sandbox/page/logins.ts";
import { pageFilePath } from "../../../../components/sandbox/page/page-file.ts";
import { sessionsFolder } from "../../../../components/sandbox/sessions/folder.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "end-logins-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const paths = () => installationPaths("test", home);
const folder = () => sessionsFolder(paths());

it("says that there is no page, and makes nothing", async () => {
  expect(await endPageLogins({ paths: paths() })).toBeUndefined();
  expect(() => statSync(folder())).toThrow("ENOENT");
});

it("ends all logins, in a private file, although nothing runs", async () => {
  const logins = new Logins(folder());
  const token = logins.add("Mira");
  expect(logins.person(token)).toBe("Mira");
  expect(await endPageLogins({ paths: paths() })).toEqual({ newLogins: "changeling sandbox login-url" });
  expect(logins.person(token)).toBeUndefined();
  expect(new Logins(folder()).person(token)).toBeUndefined();
  expect(statSync(join(folder(), "revocation", "last.json")).mode & 0o777).toBe(0o600);
});

it("fails if it can't be recorded", async () => {
  ensureFolder(folder());
  writeFileSync(join(folder(), "revocation"), "");
  await expect(endPageLogins({ paths: paths() })).rejects.toThrow(/revocation/);
});

it("fails for a service of an earlier release, which would not end them until it restarts", async () => {
  const token = new Logins(folder()).add("Mira");
  writePrivateFile(pageFilePath(folder()), JSON.stringify({ version: 1, url: "http://127.0.0.1:1", key: "k" }));
  await expect(endPageLogins({ paths: paths() })).rejects.toThrow(/earlier release.* restart it with: pulumi up/);
  expect(new Logins(folder()).person(token)).toBeUndefined();
});
