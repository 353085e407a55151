import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LEAN_REMEDY } from "../../scripts/stack/setup/lean-pulumi.ts";
import { findPulumi } from "../../scripts/stack/setup/pulumi.ts";
import { findPython } from "../../scripts/stack/setup/python.ts";

/* The real Pulumi module with what lean-pulumi.ts removes, built by the real Go: minutes where Go's cache is empty. */

const folder = mkdtempSync(join(tmpdir(), "lean-pulumi-"));
const project = join(folder, "project");
let pulumi: string;

beforeAll(async () => {
  vi.stubEnv("CHANGELINGS_PULUMI_DOWNLOAD_URL", "http://127.0.0.1:1");
  const python = await findPython();
  vi.stubEnv("CHANGELINGS_CACHE", join(folder, "cache"));
  const path = (process.env.PATH ?? "").split(":");
  vi.stubEnv("PATH", path.filter((one) => spawnSync(join(one, "pulumi"), ["version"]).error !== undefined).join(":"));
  pulumi = await findPulumi(python);
  mkdirSync(join(folder, "state"));
  mkdirSync(project);
  writeFileSync(join(project, "Pulumi.yaml"), "name: lean\nruntime: nodejs\n");
}, 1_800_000);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function run(...args: string[]): { status: number | null; output: string } {
  const env = {
    PATH: `${dirname(pulumi)}:/usr/bin:/bin`,
    HOME: folder,
    PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "test",
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  const { status, stdout, stderr } = spawnSync(pulumi, args, { cwd: project, env, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

test("keeps its state in files, with secrets by a passphrase", () => {
  expect(run("stack", "init", "dev")).toMatchObject({ status: 0 });
  expect(run("config", "set", "--secret", "key", "value", "--stack", "dev")).toMatchObject({ status: 0 });
  expect(run("config", "get", "key", "--stack", "dev")).toEqual({ status: 0, output: "value\n" });
  expect(run("stack", "ls", "--json").output).toContain('"dev"');
});

test.each(["s3", "gs", "azblob"])("says that %s:// is missing, and how to get it", (scheme) => {
  const { status, output } = run("login", `${scheme}://bucket`);
  expect(status).not.toBe(0);
  expect(output).toContain(`this Pulumi CLI was built from source without the backend ${scheme}://. ${LEAN_REMEDY}`);
});

test.each(["awskms", "azurekeyvault", "gcpkms", "hashivault"])("says that %s:// is missing", (scheme) => {
  const { status, output } = run("stack", "init", "other", "--secrets-provider", `${scheme}://key`);
  expect(status).not.toBe(0);
  expect(output).toContain(`without the secrets provider ${scheme}://. ${LEAN_REMEDY}`);
});
