import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { isAlive } from "../../components/lib/process.ts";

/** A lock as Pulumi's file backend writes it. */
const lockFile = z.object({ pid: z.number(), hostname: z.string() });

/**
 * Removes the locks of a file backend whose holder was killed: a process of this machine that is no more. A lock of one
 * that lives, or of another machine, stays.
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
    return lock.hostname === hostname() && !isAlive(lock.pid);
  } catch {
    // Gone meanwhile, or not ours to judge: Pulumi itself tells of a lock that stays.
    return false;
  }
}
