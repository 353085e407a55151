import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { isAlive } from "../../components/lib/process.ts";

/** A lock, in the format of Pulumi's file backend. */
const lockFile = z.object({ pid: z.number(), hostname: z.string() });

/**
 * Removes the locks of a file backend whose holder, a process of this machine, is dead. Locks of live processes and of
 * other machines remain.
 */
export function clearDeadLocks(backendFolder: string): void {
  const locks = join(backendFolder, ".pulumi", "locks");
  if (!existsSync(locks)) return;
  for (const entry of readdirSync(locks, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.endsWith(".json") || !isDead(path)) continue;
    rmSync(path, { force: true });
    rmSync(`${path}.attrs`, { force: true });
  }
}

function isDead(path: string): boolean {
  try {
    const lock = lockFile.parse(JSON.parse(readFileSync(path, "utf8")));
    return lock.hostname === hostname() && !(isAlive(lock.pid) && mayBePulumi(lock.pid));
  } catch {
    // Already removed, or not ours to decide: Pulumi itself reports a lock that remains.
    return false;
  }
}

/** After a restart of the machine or of a container, another program soon has the process id of a dead holder. */
function mayBePulumi(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").includes("pulumi");
  } catch {
    return true; // not on Linux
  }
}
