import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { writeRecord } from "../../../../components/web/agent/record.ts";
import { orphanInstallations } from "../../../../scripts/changeling/doctor/installations.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "installations-"));
  vi.stubEnv("HOME", home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

it("says what an installation without a stack contains, of every kind", async () => {
  const paths = installationPaths("0123456789ab", home);
  mkdirSync(paths.root, { recursive: true });
  const details = async () => (await orphanInstallations("ffffffffffff")).map(({ detail }) => detail);
  expect(await details()).toEqual(["claimed by no stack since this release: nothing that is deployed"]);
  for (const name of ["ledger", "fairy"]) writePrivateFile(join(paths.jobs, `${name}.json`), "{}");
  const record = { version: 1, provider: "local", repo: "/r", data: "/d", agentId: `agent-${"0".repeat(32)}` } as const;
  writeRecord(paths, { ...record, name: "chat", agentName: "chat" });
  writeRecord(paths, { ...record, name: "gone", agentName: "gone", removed: true });
  expect(await details()).toEqual([
    "claimed by no stack since this release: 2 scheduled changelings, 1 web changeling, kept data of 1 more",
  ]);
});
