import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isMissing } from "../../host/files.ts";

/**
 * Records a program that runs in a sandbox, so that other processes can end it: `running/<pid>` contains its start time,
 * because pids are reused.
 *
 * @returns a function that removes the record
 */
export function recordRunning(sandbox: string, pid: number): () => void {
  const file = join(sandbox, "running", String(pid));
  try {
    writeFileSync(file, startOf(pid) ?? "", { mode: 0o600 });
  } catch (error) {
    // The sandbox has been removed.
    if (!isMissing(error)) throw error;
  }
  return () => rmSync(file, { force: true });
}

/** Kills the programs that run in a sandbox, and waits until they are gone. */
export async function endRunning(sandbox: string): Promise<void> {
  const pids = runningIn(sandbox);
  for (const { pid, start } of pids) {
    if (startOf(pid) !== start) continue;
    for (const target of [-pid, pid]) killQuietly(target);
  }
  for (let tries = 0; tries < 100 && pids.some(({ pid, start }) => startOf(pid) === start); tries += 1) await sleep(20);
}

function runningIn(sandbox: string): { pid: number; start: string }[] {
  const folder = join(sandbox, "running");
  try {
    return readdirSync(folder).flatMap((name) => {
      const start = readFileSync(join(folder, name), "utf8");
      return start === "" ? [] : [{ pid: Number(name), start }];
    });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** When a process started, in the kernel's ticks since boot; undefined if it is gone or a zombie. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name, in parentheses, may contain anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}
