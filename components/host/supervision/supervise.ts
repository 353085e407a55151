import { spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder, readTail } from "../files.ts";
import { withLock } from "../lock.ts";
import type { Daemon } from "./daemon.ts";
import { launchd } from "./launchd.ts";
import { restartLoop } from "./restart-loop.ts";
import { daemonState } from "./state.ts";
import type { Supervisor } from "./supervisor.ts";
import { systemd } from "./systemd.ts";

/** How long a daemon may take to start, and to stop once nothing keeps it alive; milliseconds. */
const usualTimeoutMs = 20_000;
const pauseMs = 50;

/** In order of preference. The last one is always available. */
const supervisors: readonly Supervisor[] = [systemd, launchd, restartLoop];

/**
 * Makes sure that a daemon runs the current program, under a supervisor that restarts it when it crashes.
 *
 * @returns its process id, and its supervisor as text
 * @throws if it does not start; the error contains its log tail
 */
export function startDaemon(daemon: Daemon, timeoutMs = usualTimeoutMs): Promise<Started> {
  ensureFolder(dirname(daemon.folder));
  ensureFolder(daemon.folder);
  return exclusively(daemon, async () => {
    const supervisor = await usableSupervisor(daemon.home);
    const before = daemonState(daemon);
    if (before.alive && before.current && before.pid !== undefined)
      return { pid: before.pid, supervisor: supervisor.name };
    if (before.alive) await stop(daemon, timeoutMs);
    // Until the daemon writes its own state, this one would be taken for it.
    rmSync(daemon.stateFile, { force: true });
    await compile(daemon);
    await supervisor.start(daemon);
    const pid = await until(() => daemonState(daemon).pid, timeoutMs);
    if (pid !== undefined) return { pid, supervisor: supervisor.name };
    throw new Error(`the ${daemon.title} did not start within ${timeoutMs / 1000} s: ${logTail(daemon)}`);
  });
}

export interface Started {
  readonly pid: number;
  /** Its supervisor, as text. */
  readonly supervisor: string;
}

/** Stops a daemon and its supervision. Succeeds if there is none. @throws if it can't be stopped */
export function stopDaemon(daemon: Daemon, timeoutMs = usualTimeoutMs): Promise<void> {
  // Without its folder it can't run, but a service manager may still know it.
  if (!existsSync(daemon.folder)) return stop(daemon, timeoutMs);
  return exclusively(daemon, () => stop(daemon, timeoutMs));
}

/** Two starts at once would leave two supervisors, of which `stopDaemon` finds one. */
function exclusively<Result>({ folder, title }: Daemon, work: () => Promise<Result>): Promise<Result> {
  return withLock(
    join(folder, "supervision.lock"),
    { what: `starting or stopping the ${title}`, waitSeconds: 120 },
    work,
  );
}

async function stop(daemon: Daemon, timeoutMs: number): Promise<void> {
  for (const supervisor of supervisors) await supervisor.stop(daemon);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { pid } = daemonState(daemon);
    if (pid === undefined) return;
    signalProcess(pid, signal);
    if ((await until(() => (daemonState(daemon).alive ? undefined : true), timeoutMs)) === true) return;
  }
  throw new Error(`the ${daemon.title} (pid ${daemonState(daemon).pid}) could not be stopped`);
}

/** How to make the daemon start again after a reboot; undefined if nothing needs to be done. */
export function bootInstructionsOf(daemon: Daemon): string | undefined {
  const supervisor = supervisors.find((each) => each.isInstalled(daemon)) ?? restartLoop;
  return supervisor.bootInstructions(daemon);
}

/** The tail of a daemon's stderr, for an error. */
export function logTail({ folder }: Daemon): string {
  const tail = readTail(join(folder, "stderr.log"), 2000).trim();
  return tail === "" ? "it printed nothing" : tail;
}

async function usableSupervisor(home: string): Promise<Supervisor> {
  for (const supervisor of supervisors) if (await supervisor.isUsable(home)) return supervisor;
  return restartLoop;
}

/**
 * Node's TypeScript compiler takes 25 MB that a process never releases. A separate process fills the compile cache that
 * the daemon then starts from, once for all installations that share the cache.
 */
async function compile({ command, folder, env, compiledMarker }: Daemon): Promise<void> {
  if (existsSync(compiledMarker)) return;
  const [node = "", ...args] = command;
  const child = spawn(node, [...args, "--compile"], { cwd: folder, env, stdio: "ignore" });
  const code = await new Promise((resolve) => child.once("error", resolve).once("close", resolve));
  // If this fails, so does the start, which then reports why.
  if (code !== 0) return;
  try {
    mkdirSync(dirname(compiledMarker), { recursive: true });
    writeFileSync(compiledMarker, "");
  } catch {
    // A cache that can't be written has nothing to record either.
  }
}

async function until<Value>(read: () => Value | undefined, timeoutMs: number): Promise<Value | undefined> {
  for (let waited = 0; ; waited += pauseMs) {
    const value = read();
    if (value !== undefined || waited >= timeoutMs) return value;
    await sleep(pauseMs);
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has just ended.
  }
}
