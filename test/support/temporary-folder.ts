import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { basename, join } from "node:path";
import { descendantsOf, signalQuietly } from "../../scripts/stack/setup/processes.mjs";

const MEMORY = "/dev/shm";
// Short, because the path of a socket, four folders below, may have 107 characters.
const PREFIX = `cl-${processNamespace()}-`;
const GB = 2 ** 30;

/**
 * Lets tests keep their files in memory, where this machine has enough of it: they create and remove some hundred
 * thousand small ones, and a file system on a disk takes a tenth of their processor time for that.
 * Removes what runs that were killed have left.
 *
 * @returns removes the folder, and ends the programs that still have it in their environment; returns the command lines
 *   of those that outlived what started them. Undefined if the files stay in the usual folder
 */
export function keepTemporaryFilesInMemory(env: NodeJS.ProcessEnv = process.env): (() => string[]) | undefined {
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

/** A run in a container may share the memory, but sees other processes: it can't tell whether this one still runs. */
function processNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "";
  } catch {
    return ""; // not Linux
  }
}

/** Whether temporary files end with this run, so that what several test files use can be among them. */
export function isFolderOfRun(folder: string): boolean {
  return basename(folder).startsWith(PREFIX);
}

function remove(folder: string): string[] {
  const ended = new Set<string>();
  const ofThisRun = new Set(descendantsOf(process.pid));
  // What was just ended may have started another program.
  for (let found = programsIn(folder); found.length > 0; found = programsIn(folder)) {
    for (const { pid, command } of found) {
      if (!ofThisRun.has(pid)) ended.add(command);
      signalQuietly(pid, "SIGKILL");
    }
  }
  // Programs that are just ending may still write.
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  return [...ended];
}

/** The daemons of an interrupted run, for example: they are no descendants of its process. */
function programsIn(folder: string): { readonly pid: number; readonly command: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      if (Number(name) === process.pid || !readFileSync(`/proc/${name}/environ`, "utf8").includes(folder)) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").join(" ").trim();
      return [{ pid: Number(name), command }];
    } catch {
      return []; // no process, another user's, or one that has just ended
    }
  });
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
