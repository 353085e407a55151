import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { schedulerDaemon } from "../../../../components/cron/local/state.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { isLocked, takeLock, withLock } from "../../../../components/host/lock.ts";
import { type Daemon, type NodeDaemon, nodeDaemon } from "../../../../components/host/supervision/daemon.ts";
import { launchd } from "../../../../components/host/supervision/launchd.ts";
import { programVersion } from "../../../../components/host/supervision/program-version.ts";
import { becomeDaemon, daemonState, outdatedInWords } from "../../../../components/host/supervision/state.ts";
import { systemd } from "../../../../components/host/supervision/systemd.ts";
import { forwardingDaemonRef } from "../../../../components/web/forwarding/state.ts";
import { forwardingDaemon } from "../../../../components/web/forwarding/supervise.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "daemons-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const installation = "0123456789ab";
const daemonOf = (title: string): Daemon => ({
  ...{ installation, title, home, command: ["node"], folder: join(home, title), env: {} },
  ...{ stateFile: join(home, title, "state.json"), programVersion: "1", compiledMarker: join(home, "compiled") },
});

/** Of another user, in a test as root. */
function foreignFolder(parent: string): string {
  const folder = mkdtempSync(join(parent, "foreign-"));
  chownSync(folder, 65_534, 65_534);
  return folder;
}

describe("service managers distinguish an installation's daemons, and the scheduler keeps its name", () => {
  it.each([
    ["scheduler", `.config/systemd/user/changelings-${installation}.service`, systemd],
    ["forwarding server", `.config/systemd/user/changelings-forwarding-server-${installation}.service`, systemd],
    ["scheduler", `Library/LaunchAgents/changelings.scheduler.${installation}.plist`, launchd],
    ["forwarding server", `Library/LaunchAgents/changelings.forwarding-server.${installation}.plist`, launchd],
  ] as const)("the %s is %s", (title, file, supervisor) => {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), "");
    const found = ["scheduler", "forwarding server"].filter((each) => supervisor.isInstalled(daemonOf(each)));
    expect(found).toEqual([title]);
  });
});

describe("a daemon", () => {
  it("is started with the Node that is here, and sees what its programs may see", () => {
    const ours = { PATH: "/bin", MNGR_HOST_DIR: "/m", TMUX_TMPDIR: "/t", CHANGELINGS_CACHE: "/c" };
    const env = { ...ours, GITHUB_TOKEN: "secret", npm_config__auth: "secret" };
    const place = { folder: "/f", stateFile: "/f/state.json", programVersion: "v1" };
    const daemon = nodeDaemon(
      { ...place, installation, title: "tester", main: "cron/local/main", options: ["--quiet"] },
      home,
      env,
    );
    const components = join(import.meta.dirname, "../../../../components");
    const quickImports = pathToFileURL(join(components, "lib/quick-imports.ts")).href;
    const main = join(components, "cron/local/main.ts");
    expect(daemon).toEqual({
      ...place,
      ...{ installation, title: "tester", home },
      command: [process.execPath, "--import", quickImports, "--quiet", main, installation],
      env: { ...ours, HOME: home, NODE_COMPILE_CACHE: "/f/compiled" },
      compiledMarker: expect.stringMatching(/^\/f\/compiled\/daemons\/[0-9a-f]{16}$/),
    });
  });

  it("is compiled once for all installations that share setup's cache, and again after a change of its code", () => {
    const marker = (folder: string, programVersion: string, more: Partial<NodeDaemon> = {}, cache = home) => {
      const place = { folder, stateFile: join(folder, "state.json"), programVersion };
      const of = { ...place, installation, title: "tester", main: "cron/local/main", options: [], ...more };
      return nodeDaemon(of, home, { NODE_COMPILE_CACHE: cache }).compiledMarker;
    };
    const first = marker("/f", "v1");
    expect(dirname(first)).toBe(join(home, "daemons"));
    const code = { version: "v1", folder: "/nodes" };
    expect([marker("/g", "v1"), marker("/f", "with other settings", { code })]).toEqual([first, first]);
    const others = [marker("/f", "v2"), marker("/f", "v1", { main: "web/forwarding/program/main" })];
    expect(new Set([first, ...others]).size).toBe(3);
    // Without a cache of setup's, as in others' programs, or with one that another user could fill with code.
    const open = join(home, "open");
    mkdirSync(open);
    chmodSync(open, 0o1777);
    const foreign = process.getuid?.() === 0 ? [foreignFolder(home)] : ["/tmp"];
    for (const cache of ["", join(home, "missing"), open, ...foreign])
      expect(dirname(marker("/f", "v1", { code }, cache))).toBe("/nodes/compiled/daemons");
  });

  it("has a separate folder and program", () => {
    const paths = installationPaths(installation, home);
    expect(forwardingDaemon(installation, home)).toMatchObject(forwardingDaemonRef(paths));
    expect(forwardingDaemonRef(paths).folder).not.toBe(schedulerDaemon(paths).folder);
    expect(forwardingDaemonRef(paths).programVersion).not.toBe(schedulerDaemon(paths).programVersion);
  });

  it("runs while it holds its lock, with the recorded program", () => {
    const daemon = daemonOf("tester");
    mkdirSync(daemon.folder);
    const nobody = {
      alive: false,
      pid: undefined,
      startedAt: undefined,
      programVersion: undefined,
      current: false,
      missing: undefined,
    };
    expect(daemonState(daemon)).toEqual(nobody);
    // What a dead one left says nothing.
    writeFileSync(daemon.stateFile, JSON.stringify({ pid: 1, startedAt: "", programVersion: "1", starts: [] }));
    expect(daemonState(daemon)).toEqual(nobody);
    const now = new Date("2026-11-21T06:00:00Z");
    expect([becomeDaemon(daemon, now), becomeDaemon(daemon, now)]).toEqual([true, false]);
    const state = { alive: true, pid: process.pid, startedAt: "2026-11-21T06:00:00.000Z", programVersion: "1" };
    expect(daemonState(daemon)).toEqual({ ...state, current: true, missing: undefined });
    expect(outdatedInWords(daemonState(daemon))).toBeUndefined();
    const older = daemonState({ ...daemon, programVersion: "2" });
    expect(older).toEqual({ ...state, current: false, missing: undefined });
    expect(outdatedInWords(older)).toBe("runs an older program");
    // The checkout that it was started from was removed.
    const gone = join(home, "checkout", "main.ts");
    const written = JSON.parse(readFileSync(daemon.stateFile, "utf8"));
    writeFileSync(daemon.stateFile, JSON.stringify({ ...written, starts: [process.execPath, gone] }));
    expect(outdatedInWords(daemonState(daemon))).toBe(`runs a program that is gone from ${gone}`);
  });

  it("has the fingerprint of its modules and of its packages", () => {
    const one = programVersion("web/agent/servers");
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(programVersion("web/agent/servers")).toBe(one);
    const others = [programVersion("mngr/client"), programVersion("web/agent/servers", ["fastify"])];
    expect(new Set([one, ...others]).size).toBe(3);
    expect(() => programVersion("no/such-module")).toThrow("no/such-module");
  });
});

describe("a lock", () => {
  it("is held by one process, until it ends", async () => {
    const file = join(home, "folder", "lock");
    expect(isLocked(file)).toBe(false);
    const module = join(import.meta.dirname, "../../../../components/host/lock.ts");
    const code = `const { takeLock } = await import(${JSON.stringify(module)});
      process.stdout.write(String(takeLock(${JSON.stringify(file)})));
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    expect(await new Promise((resolve) => holder.stdout.once("data", (text) => resolve(String(text))))).toBe("true");
    expect([isLocked(file), takeLock(file)]).toEqual([true, false]);
    const waiting = { what: "testing", waitSeconds: 0.2 };
    await expect(withLock(file, waiting, async () => {})).rejects.toThrow(
      `another process has been testing for over 0.2 s (${file})`,
    );
    holder.kill("SIGKILL");
    await new Promise((resolve) => holder.once("exit", resolve));
    expect(isLocked(file)).toBe(false);
    expect(await withLock(file, waiting, async () => isLocked(file))).toBe(true);
    expect(isLocked(file)).toBe(false);
  });
});
