import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder, readTail } from "../files.ts";
import type { Daemon } from "./daemon.ts";
import { launchd } from "./launchd.ts";
import { restartLoop } from "./restart-loop.ts";
import { daemonState } from "./state.ts";
import type { Supervisor } from "./supervisor.ts";
import { systemd } from "./systemd.ts";

/** How long a daemon may take to start, and to end once nothing holds it; milliseconds. */
const patienceMs = 20_000;
const pauseMs = 50;

/** In the order of preference; the last one is always there. */
const supervisors: readonly Supervisor[] = [systemd, launchd, restartLoop];

/**
 * Makes sure that a daemon runs, with the program that is here, under a supervisor that restarts it when it crashes.
 *
 * @returns its process id, and what supervises it, in words
 * @throws when it does not start; the error holds its last words
 */
export async function startDaemon(daemon: Daemon): Promise<{ readonly pid: number; readonly supervisor: string }> {
  const supervisor = await chosen(daemon.home);
  const before = daemonState(daemon);
  if (before.alive && before.current && before.pid !== undefined)
    return { pid: before.pid, supervisor: supervisor.name };
  if (before.alive) await stopDaemon(daemon);
  ensureFolder(dirname(daemon.folder));
  ensureFolder(daemon.folder);
  await compile(daemon);
  await supervisor.start(daemon);
  const pid = await until(() => daemonState(daemon).pid);
  if (pid !== undefined) return { pid, supervisor: supervisor.name };
  throw new Error(`the ${daemon.title} did not start within ${patienceMs / 1000} s: ${lastWords(daemon)}`);
}

/** Ends a daemon and its supervision; succeeds when there is none. @throws when it can't be ended */
export async function stopDaemon(daemon: Daemon): Promise<void> {
  for (const supervisor of supervisors) await supervisor.stop(daemon);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { pid } = daemonState(daemon);
    if (pid === undefined) return;
    signalProcess(pid, signal);
    if ((await until(() => (daemonState(daemon).alive ? undefined : true))) === true) return;
  }
  throw new Error(`the ${daemon.title} (pid ${daemonState(daemon).pid}) could not be stopped`);
}

/** How it comes back after a restart of the machine; undefined when that needs nothing from anybody. */
export function bootInstructionsOf(daemon: Daemon): string | undefined {
  const supervisor = supervisors.find((each) => each.isInstalled(daemon)) ?? restartLoop;
  return supervisor.bootInstructions(daemon);
}

/** The end of what a daemon said on stderr, for an error. */
export function lastWords({ folder }: Daemon): string {
  const words = readTail(join(folder, "stderr.log"), 2000).trim();
  return words === "" ? "it printed nothing" : words;
}

async function chosen(home: string): Promise<Supervisor> {
  for (const supervisor of supervisors) if (await supervisor.isUsable(home)) return supervisor;
  return restartLoop;
}

/**
 * Node's compiler of TypeScript takes 25 MB that a process never gives back, so a process of its own fills the cache
 * from which the daemon then starts.
 */
async function compile({ command, folder, env }: Daemon): Promise<void> {
  const cache = env["NODE_COMPILE_CACHE"] ?? "";
  if (existsSync(cache)) return;
  rmSync(dirname(cache), { recursive: true, force: true });
  const [node = "", ...args] = command;
  const child = spawn(node, [...args, "--compile"], { cwd: folder, env, stdio: "ignore" });
  // When it fails, so will the start, and that can tell why.
  await new Promise((resolve) => child.once("error", resolve).once("close", resolve));
}

async function until<Value>(look: () => Value | undefined): Promise<Value | undefined> {
  for (let waited = 0; ; waited += pauseMs) {
    const value = look();
    if (value !== undefined || waited >= patienceMs) return value;
    await sleep(pauseMs);
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended just now.
  }
}
