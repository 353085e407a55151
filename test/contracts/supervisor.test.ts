import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { schedulerDaemon } from "../../components/cron/local/state.ts";
import { startScheduler, stopScheduler } from "../../components/cron/local/supervise.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import type { Daemon } from "../../components/host/supervision/daemon.ts";
import { restartLoop } from "../../components/host/supervision/restart-loop.ts";
import { type DaemonRef, daemonState } from "../../components/host/supervision/state.ts";
import { bootInstructionsOf, startDaemon, stopDaemon } from "../../components/host/supervision/supervise.ts";
import { allowedEnvironment } from "../../components/lib/environment.ts";
import { writeForwardingConfig } from "../../components/web/forwarding/installed-config.ts";
import { forwardingDaemonRef } from "../../components/web/forwarding/state.ts";
import { startForwardingServer, stopForwardingServer } from "../../components/web/forwarding/supervise.ts";

const installation = "0123456789ab";
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "supervisor-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));

/** The processes that name this test's folder on their command line: loops, daemons, and whatever they started. */
function processes(): { readonly pid: number; readonly args: string }[] {
  const listed = execFileSync("ps", ["-ww", "-eo", "pid=,args="], { encoding: "utf8" });
  return listed.split("\n").flatMap((line) => {
    const [, pid, args = ""] = /^ *(\d+) (.*)$/.exec(line) ?? [];
    return args.includes(home) ? [{ pid: Number(pid), args }] : [];
  });
}

/** A daemon is gone with its supervisor, and does not come back. */
async function expectNothingLeft(place: DaemonRef): Promise<void> {
  await expect.poll(processes).toEqual([]);
  expect(daemonState(place).alive).toBe(false);
}

// Service managers keep out of a home that is not the account's, so these daemons run under the restart loop.
describe("a daemon under the supervisor of a machine without a service manager", () => {
  let daemon: Daemon;
  beforeEach(() => {
    daemon = versionOf("1");
  });
  afterEach(() => {
    for (const { pid } of processes()) process.kill(pid, "SIGKILL");
  });

  const versionOf = (programVersion: string): Daemon => {
    const folder = join(home, "probe");
    const program = join(import.meta.dirname, "../support/probe-daemon.ts");
    return {
      ...{ installation, title: "probe", home, folder, stateFile: join(folder, "state.json"), programVersion },
      command: [process.execPath, program, folder, programVersion],
      env: { ...allowedEnvironment(process.env), HOME: home, NODE_COMPILE_CACHE: join(folder, "compiled") },
      compiledMarker: join(folder, "compiled", "marker"),
    };
  };
  const has = (file: string) => {
    mkdirSync(daemon.folder, { recursive: true });
    writeFileSync(join(daemon.folder, file), "");
  };
  const starts = () => readFileSync(join(daemon.folder, "starts"), "utf8").trim().split("\n").map(Number);
  const loops = () => processes().filter(({ args }) => args.includes("restart-loop.sh"));

  it("starts once, however often it is started", async () => {
    const first = await startDaemon(daemon);
    expect(first).toEqual({ pid: daemonState(daemon).pid, supervisor: "a restart loop" });
    expect(daemonState(daemon)).toMatchObject({ alive: true, current: true });
    expect(await startDaemon(daemon)).toEqual(first);
    expect(starts()).toEqual([first.pid]);
    expect(restartLoop.isInstalled(daemon)).toBe(true);
    expect(bootInstructionsOf(daemon)).toContain("after a restart of this machine");
  });

  it("starts once when it is started twice at once, and is supervised", async () => {
    const [one, other] = await Promise.all([startDaemon(daemon), startDaemon(daemon)]);
    expect(other).toEqual(one);
    expect(starts()).toEqual([one.pid]);
    process.kill(one.pid, "SIGKILL");
    await expect.poll(() => daemonState(daemon).pid).not.toBeOneOf([one.pid, undefined]);
    await stopDaemon(daemon);
    await expectNothingLeft(daemon);
  });

  it("is started again after kill -9", async () => {
    const { pid } = await startDaemon(daemon);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => daemonState(daemon).pid).not.toBeOneOf([pid, undefined]);
    expect(daemonState(daemon)).toMatchObject({ alive: true, current: true });
  });

  it("is replaced by a newer program, and only by that", async () => {
    const { pid } = await startDaemon(daemon);
    const newer = versionOf("2");
    expect(daemonState(newer)).toMatchObject({ alive: true, current: false });
    const next = await startDaemon(newer);
    expect(next.pid).not.toBe(pid);
    expect(daemonState(newer)).toMatchObject({ alive: true, current: true, programVersion: "2" });
    expect(starts()).toEqual([pid, next.pid]);
    expect(loops()).toHaveLength(1);
    expect((await startDaemon(newer)).pid).toBe(next.pid);
    // Both have the same code here, which is compiled once.
    expect(readFileSync(join(daemon.folder, "compiles"), "utf8")).toMatch(/^\d+\n$/);
    expect(existsSync(daemon.compiledMarker)).toBe(true);
  });

  it.each(["willing", "stubborn"])("leaves no process when it is stopped, if it is %s", async (how) => {
    has(how);
    const { pid } = await startDaemon(daemon);
    await stopDaemon(daemon, 2000);
    await expectNothingLeft(daemon);
    expect(starts()).toEqual([pid]);
    expect(restartLoop.isInstalled(daemon)).toBe(false);
    await stopDaemon(daemon);
  });

  it("pauses longer after each crash, and says why it does not start", async () => {
    has("crash");
    const failed = await startDaemon(daemon, 8000).catch((error: unknown) => error);
    expect(String(failed)).toMatch(/the probe did not start within 8 s: boom at start/);
    const count = starts().length;
    // At once, and after 1, 3 and 7 s, and what starting takes.
    expect(count).toBeGreaterThanOrEqual(2);
    expect(count).toBeLessThanOrEqual(4);
    expect(daemonState(daemon).alive).toBe(false);
    // Where it is started again, it has one loop, not one for each `pulumi up`.
    await restartLoop.start(daemon);
    await expect.poll(() => starts().length).toBeGreaterThan(count);
    expect(loops()).toHaveLength(1);
    await stopDaemon(daemon);
    await expectNothingLeft(daemon);
  });

  describe("a process that got its pid later", () => {
    let stranger: ChildProcess;
    beforeEach(() => {
      stranger = spawn("sleep", ["600"], { stdio: "ignore" });
    });
    afterEach(() => stranger.kill("SIGKILL"));

    it("is neither taken for its supervisor nor for itself", async () => {
      mkdirSync(daemon.folder, { recursive: true });
      writeFileSync(join(daemon.folder, "supervisor.pid"), `${stranger.pid}\n`);
      const state = { pid: stranger.pid, startedAt: "", programVersion: "1", starts: [] };
      writeFileSync(daemon.stateFile, JSON.stringify(state));
      expect(daemonState(daemon).alive).toBe(false);
      await stopDaemon(daemon);
      const { pid } = await startDaemon(daemon);
      expect(pid).not.toBe(stranger.pid);
      writeFileSync(join(daemon.folder, "supervisor.pid"), `${stranger.pid}\n`);
      await stopDaemon(daemon);
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
      await expect.poll(() => daemonState(daemon).alive).toBe(false);
    });
  });
});

describe.each([
  {
    title: "the scheduler",
    install: () => {},
    place: () => schedulerDaemon(installationPaths(installation, home)),
    start: () => startScheduler(installation, home),
    stop: () => stopScheduler(installation, { endRuns: false }, home),
  },
  {
    title: "the forwarding server",
    install: () =>
      writeForwardingConfig(installationPaths(installation, home), {
        ...{ version: 1, port: 0, host: "127.0.0.1", publicUrl: null, routing: "host" },
        ...{ codeTtlSeconds: 60, cookieTtlSeconds: 60 },
      }),
    place: () => forwardingDaemonRef(installationPaths(installation, home)),
    start: () => startForwardingServer(installation, home),
    stop: () => stopForwardingServer(installation, home),
  },
])("$title", ({ install, place, start, stop }) => {
  it("starts once, and leaves no process when it is stopped", async () => {
    install();
    try {
      const first = await start();
      expect(daemonState(place())).toMatchObject({ alive: true, current: true, pid: first.pid });
      expect(await start()).toEqual(first);
    } finally {
      await stop();
    }
    await expectNothingLeft(place());
    expect(existsSync(join(place().folder, "supervisor.pid"))).toBe(false);
  });
});
