import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { join } from "node:path";

const MEMORY = "/dev/shm";
const PREFIX = "changelings-tests-";
const GB = 2 ** 30;

/**
 * Lets tests keep their files in memory, where this machine has enough of it: they create and remove some hundred
 * thousand small ones, and a file system on a disk takes a tenth of their processor time for that.
 * Removes what runs that were killed have left.
 *
 * @returns removes the folder; undefined if the files stay in the usual folder
 */
export function keepTemporaryFilesInMemory(env: NodeJS.ProcessEnv = process.env): (() => void) | undefined {
  if (env["TMPDIR"] !== undefined || !hasRoom()) return undefined;
  for (const name of readdirSync(MEMORY)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    const folder = join(MEMORY, name);
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    if (lstatSync(folder).uid === process.getuid?.()) remove(folder);
  }
  const folder = mkdtempSync(join(MEMORY, `${PREFIX}${process.pid}-`));
  // As in /tmp, other accounts can enter folders that let them: PostgreSQL runs as nobody for root.
  chmodSync(folder, 0o711);
  env["TMPDIR"] = folder;
  return () => remove(folder);
}

/** Programs that are just ending may still write. */
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** A container usually has 64 MB there. Tests execute programs from their folders, which may be forbidden there. */
function hasRoom(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    const available = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
    const mount = readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .find((line) => line.split(" ")[1] === MEMORY);
    const mayExecute = mount?.split(" ")[3]?.split(",").includes("noexec") === false;
    return mayExecute && bavail * bsize > 4 * GB && Number(available) * 1024 > 8 * GB;
  } catch {
    // Not Linux.
    return false;
  }
}
