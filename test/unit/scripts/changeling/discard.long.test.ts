import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeClaim } from "../../../../components/host/claims.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { projectFolder } from "../../../../scripts/stack/project.ts";
import { compileCache } from "../../../support/compile-cache.ts";

const id = "0123456789ab";
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "discard-"));
  mkdirSync(join(home, "bin"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const isInstalled = () => existsSync(installationPaths(id, home).root);

/** An installation of a stack of this backend. */
function install(backend: string) {
  const { root } = installationPaths(id, home);
  mkdirSync(root, { recursive: true });
  writeClaim({ root }, { backend, organization: "me", project: "changelings", stack: "home" });
}

/** @param said what `pulumi` says instead of the stack's state */
function discard(said: string, ...args: string[]) {
  writeFileSync(join(home, "bin/pulumi"), `#!/bin/sh\necho "error: ${said}" >&2\nexit 1\n`, { mode: 0o755 });
  const program = join(projectFolder, "scripts/changeling/changeling.ts");
  const env = { PATH: `${join(home, "bin")}:/usr/bin:/bin`, HOME: home, PULUMI_HOME: home, ...compileCache };
  return spawnSync(process.execPath, [program, "discard", id, ...args], { env, encoding: "utf8" });
}

it("removes nothing while the stack may still exist, unless forced to", () => {
  install("https://api.pulumi.com");
  const refused = discard("PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions");
  expect(refused.stderr).toContain("can't be asked whether that still exists; log in with: npm run pulumi -- login");
  expect(refused.status).toBe(1);
  expect(isInstalled()).toBe(true);
  const forced = discard("PULUMI_ACCESS_TOKEN must be set for login", "--force");
  expect(forced.stdout, forced.stderr).toBe(`${id} is removed.\n`);
  expect(isInstalled()).toBe(false);
});

it("removes nothing while the disk of the stack's backend may only not be mounted", () => {
  const folder = join(home, "disk");
  install(`file://${folder}`);
  const refused = discard("unused");
  expect(refused.stderr).toContain(`its backend's folder ${folder} does not exist; mount its disk, or move it back\n`);
  expect([refused.status, isInstalled()]).toEqual([1, true]);
  mkdirSync(folder);
  expect(discard("unused").stdout).toBe(`${id} is removed.\n`);
  install(`file://${folder}-of-another`);
  expect(discard("unused", "--force").stdout).toBe(`${id} is removed.\n`);
});
