import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { openSessions } from "../../components/sandbox/sessions/client.ts";
import { readServiceFile, sessionsFolder } from "../../components/sandbox/sessions/folder.ts";
import { startOf } from "../../components/sandbox/sessions/runner/process-identity.ts";
import { sessionsState } from "../../components/sandbox/sessions/state.ts";
import { stopSessions } from "../../components/sandbox/sessions/supervise.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { kill } from "../support/session-lab.ts";

const installation = "abcdef012345";

it("starts the session service under a supervisor, and removes it with all that it left", async () => {
  const home = mkdtempSync(join(tmpdir(), "sessions-home-"));
  const paths = installationPaths(installation, home);
  mkdirSync(paths.root, { recursive: true });
  const command = (verb: string) => {
    const env = { PATH: process.env["PATH"], HOME: home, INSTALLATION: installation };
    const args = ["scripts/command.ts", "sandbox-sessions", verb];
    return spawnSync(process.execPath, args, { cwd: projectFolder, env, encoding: "utf8" });
  };
  try {
    expect(command("apply")).toMatchObject({ status: 0, stdout: '{"sessions":"running"}\n' });
    const folder = sessionsFolder(paths);
    const sessions = openSessions({ folder, person: "ada" });
    expect(await sessions.list()).toEqual([]);
    const before = sessionsState(paths);
    const workerd = readServiceFile(folder)?.workerd;
    expect(before).toMatchObject({ alive: true, current: true });

    // A runner that is killed leaves its workerd, which the next one ends and replaces.
    kill(before.pid ?? 0);
    await vi.waitFor(() => expect(readServiceFile(folder)?.workerd).not.toEqual(workerd), 30_000);
    expect(await sessions.list()).toEqual([]);
    expect(startOf(workerd?.pid ?? 0)).not.toBe(workerd?.startedAt);
    expect(sessionsState(paths).pid).not.toBe(before.pid);

    expect(command("apply")).toMatchObject({ status: 0 });
    const last = readServiceFile(folder)?.workerd;
    expect(command("remove")).toMatchObject({ status: 0, stdout: '{"sessions":"removed"}\n' });
    expect(existsSync(paths.root) && readdirSync(paths.root)).toBe(false);
    expect(startOf(last?.pid ?? 0)).not.toBe(last?.startedAt);
    await expect(sessions.list()).rejects.toMatchObject({ code: "unavailable" });
  } finally {
    await stopSessions(installation, home);
    rmSync(home, { recursive: true, force: true });
  }
});
