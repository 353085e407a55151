import { type ChildProcess, execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readTextIfAny } from "../../../host/files.ts";
import { createdFrom } from "../../../mngr/output.ts";
import type { RunFiles, RunPlan } from "./plan.ts";

/**
 * `mngr create` waits until a conversational agent is ready and has received its message. After this time it counts as
 * hung.
 */
const createTimeoutMs = 600_000;
/** How long a started process may take to write its id. */
const pidTimeoutMs = 10_000;

/** Waits for the end of a `mngr create`. Kills it after its timeout, and when it is interrupted. */
export async function endOfCreate(child: ChildProcess, interruption: AbortSignal): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const kill = () => killGroup(child.pid ?? 0);
    const timer = setTimeout(kill, createTimeoutMs);
    if (interruption.aborted) kill();
    interruption.addEventListener("abort", kill);
    child.once("exit", () => {
      clearTimeout(timer);
      interruption.removeEventListener("abort", kill);
      resolve();
    });
  });
}

/** Waits for the `mngr create` of a crashed scheduler, which continues without it. */
export async function endOfOrphanedCreate(plan: RunPlan, files: RunFiles, interruption: AbortSignal): Promise<void> {
  const startedAt = statSync(files.createOutput).mtimeMs;
  for (;;) {
    if (createdFrom(readTextIfAny(files.createOutput) ?? "") !== undefined) return;
    const pid = Number(readTextIfAny(files.createPid));
    const age = Date.now() - startedAt;
    if (!(pid > 0) && age > pidTimeoutMs) return;
    if (pid > 0 && !isCreateOf(plan, pid)) return;
    // A clock that was set back must not prolong the wait.
    if (pid > 0 && (interruption.aborted || age > createTimeoutMs || age < -createTimeoutMs)) return killGroup(pid);
    await sleep(1000);
  }
}

/** Whether a process is still this run's `mngr create`: after a reboot, its id may belong to any process. */
function isCreateOf({ id }: RunPlan, pid: number): boolean {
  try {
    const command = execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" });
    return command.includes(` ${id} `);
  } catch {
    return false;
  }
}

/** Kills a process group by its leader's id; 0 would be our own group. */
function killGroup(pid: number): void {
  if (!(pid > 0)) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
