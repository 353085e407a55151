import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import * as files from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { machineChecks } from "../../../../scripts/changeling/doctor/machine.ts";

vi.mock("../../../../components/host/files.ts", { spy: true });

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "doctor-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(home, { recursive: true, force: true });
});
const checks = () => machineChecks(installationPaths("test", home), { HOME: home });

it("a machine that is well", async () => {
  expect((await checks()).map(({ name, status }) => [name, status])).toEqual([
    ["disk", "ok"],
    ["mngr's agents", "ok"],
  ]);
});

it("names the file of an agent that keeps mngr from working, and the command that repairs it", async () => {
  const folder = join(home, ".mngr", "agents", "agent-1");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "data.json"), '{"id": "agent');
  expect((await checks())[1]).toEqual({
    name: "mngr's agents",
    status: "failed",
    detail: `${join(folder, "data.json")} is not JSON, so mngr can neither list nor make agents`,
    remedy: `move that agent aside (its work tree and branch stay): mv ${folder} ${join(home, ".mngr", "broken-agent-1")}`,
  });
});

it("names the folders on a full disk", async () => {
  vi.mocked(files.isDiskFull).mockImplementation((path) => path === join(home, ".changelings"));
  expect((await checks())[0]).toMatchObject({
    status: "failed",
    detail: `full: ${join(home, ".changelings")}; no run can be recorded or started`,
  });
});
