import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ensureFolder, readTail } from "../../files.ts";
import { type InstallationPaths, installationPaths } from "../../installation-paths.ts";
import { allowedEnvironment } from "../../mngr/environment.ts";
import { launchd } from "../../supervision/launchd.ts";
import { restartLoop } from "../../supervision/restart-loop.ts";
import type { Daemon, Supervisor } from "../../supervision/supervisor.ts";
import { systemd } from "../../supervision/systemd.ts";
import { readRuns } from "./records.ts";
import { requestStop } from "./requests.ts";
import { openRunIds } from "./runs/run-ids.ts";
import { programVersion, schedulerState } from "./state.ts";

/** How long a scheduler may take to start, and to end once nothing holds it; milliseconds. */
const patienceMs = 20_000;
const pauseMs = 50;

/** A process that sleeps all day needs no heap to grow into, nor to be woken up every 8 s in order to shrink it. */
const v8Options = ["--max-semi-space-size=1", "--no-memory-reducer"];

/** In the order of preference; the last one is always there. */
const supervisors: readonly Supervisor[] = [systemd, launchd, restartLoop];

/**
 * Makes sure that an installation's scheduler runs, with the program that is here, under a supervisor that restarts it
 * when it crashes. It sees PATH, HOME and their like as they are in `env`, and nothing else of it.
 *
 * @returns its process id, and what supervises it, in words
 * @throws when it does not start; the error holds its last words
 */
export async function startScheduler(
  installation: string,
  home: string = homedir(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly pid: number; readonly supervisor: string }> {
  const paths = installationPaths(installation, home);
  const supervisor = await chosen(home);
  const before = schedulerState(paths);
  if (before.alive && before.current && before.pid !== undefined)
    return { pid: before.pid, supervisor: supervisor.name };
  if (before.alive) await stopScheduler(installation, { endRuns: false }, home);
  ensureFolder(paths.root);
  ensureFolder(paths.scheduler);
  const daemon = daemonOf(installation, paths, home, env);
  await compile(daemon);
  await supervisor.start(daemon);
  const pid = await until(() => schedulerState(paths).pid);
  if (pid !== undefined) return { pid, supervisor: supervisor.name };
  const words = readTail(join(paths.scheduler, "stderr.log"), 2000).trim();
  throw new Error(
    `the scheduler did not start within ${patienceMs / 1000} s: ${words === "" ? "it said nothing" : words}`,
  );
}

/**
 * Ends an installation's scheduler and its supervision; succeeds when there is none.
 *
 * @param endRuns true ends its runs first, and destroys the agents that were kept, but for those with uncommitted
 *   changes; false leaves them to the next scheduler
 * @throws when it, or a run, can't be ended
 */
export async function stopScheduler(
  installation: string,
  { endRuns }: { endRuns: boolean },
  home: string = homedir(),
): Promise<void> {
  const paths = installationPaths(installation, home);
  if (endRuns) {
    // Only a scheduler can end runs and destroy agents; one that is down is brought up for it.
    const isNeeded = openRunIds(paths).length > 0 || readRuns(paths).some((run) => run.agentIsKept);
    if (!schedulerState(paths).alive && isNeeded) await startScheduler(installation, home);
    if (schedulerState(paths).alive) await requestStop(paths);
  }
  const daemon = daemonOf(installation, paths, home);
  for (const supervisor of supervisors) await supervisor.stop(daemon);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { pid } = schedulerState(paths);
    if (pid === undefined) return;
    signalProcess(pid, signal);
    if ((await until(() => (schedulerState(paths).alive ? undefined : true))) === true) return;
  }
  throw new Error(`the scheduler (pid ${schedulerState(paths).pid}) can't be ended`);
}

/** How the scheduler comes back after a restart of the machine; undefined when that needs nothing from anybody. */
export function bootInstructions(paths: InstallationPaths, home: string = homedir()): string | undefined {
  const daemon = daemonOf(paths.root.slice(dirname(paths.root).length + 1), paths, home);
  const supervisor = supervisors.find((each) => each.isInstalled(daemon)) ?? restartLoop;
  return supervisor.bootInstructions(daemon);
}

async function chosen(home: string): Promise<Supervisor> {
  for (const supervisor of supervisors) if (await supervisor.isUsable(home)) return supervisor;
  return restartLoop;
}

function daemonOf(
  installation: string,
  paths: InstallationPaths,
  home: string,
  env: NodeJS.ProcessEnv = process.env,
): Daemon {
  const self = fileURLToPath(import.meta.url);
  return {
    installation,
    home,
    command: [process.execPath, ...v8Options, join(dirname(self), `main${extname(self)}`), installation],
    folder: paths.scheduler,
    env: { ...allowedEnvironment(env), HOME: home, NODE_COMPILE_CACHE: join(compiled(paths), programVersion()) },
  };
}

/**
 * Node's compiler of TypeScript takes 25 MB that a process never gives back, so a process of its own fills the cache
 * from which the scheduler then starts.
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

function compiled(paths: InstallationPaths): string {
  return join(paths.scheduler, "compiled");
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
