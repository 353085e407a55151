// @ts-check
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/**
 * The start time of a process, which distinguishes it from a later process with the same pid. Null if it is not alive.
 * @param {number} pid
 * @returns {string | null}
 */
export function startOf(pid) {
  if (process.platform === "linux") {
    try {
      const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
      const fields = statFields(pid);
      return fields[0] === "Z" ? null : `${boot}/${fields[19]}`;
    } catch {
      return null;
    }
  }
  return spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout?.trim() || null;
}

/**
 * Every descendant of a process, nearest first.
 * @param {number} pid
 * @returns {number[]}
 */
export function descendantsOf(pid) {
  const parents = parentsOfAll();
  const found = [pid];
  for (const parent of found) for (const [child, itsParent] of parents) if (itsParent === parent) found.push(child);
  return found.slice(1);
}

/** @returns {[pid: number, parent: number][]} */
function parentsOfAll() {
  if (process.platform === "linux") {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          return [[Number(name), Number(statFields(Number(name))[1])]];
        } catch {
          return []; // it ended while the list was being read
        }
      });
  }
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([child = 0, parent = 0]) => [child, parent]);
}

/**
 * The fields of /proc/PID/stat from the state on. The name before them may contain spaces and parentheses.
 * @param {number} pid
 */
function statFields(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/**
 * Sends a signal, and ignores a process that no longer exists. A negative pid is a process group.
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
export function signalQuietly(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") throw error;
  }
}
