import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRefused, type LockFile, openLock, takeLock } from "../../../lib/file-lock.ts";

/**
 * Reserves a folder for this process. Two processes would delete each other's unfinished files.
 *
 * @throws Error if another process still has it after `milliseconds`
 */
export async function lockFolder(folder: string, milliseconds: number): Promise<LockFile> {
  const lock = openLock(join(folder, "lock"), { timeout: 0 });
  try {
    for (const end = performance.now() + milliseconds; isRefused(lock, takeLock); await sleep(50)) {
      if (performance.now() < end) continue;
      const remedy = "Stop it, or give this one another folder by SEED_CODE_DIR";
      throw new Error(`another process uses ${folder} for its code. ${remedy}.`);
    }
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}
