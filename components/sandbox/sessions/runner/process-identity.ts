import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * When a process started, in the system's own format. A pid alone does not identify a process, because pids are reused.
 *
 * @returns undefined if there is no such process
 */
export function startOf(pid: number): string | undefined {
  if (process.platform === "linux") {
    try {
      // The second field is the program's name, in parentheses, and may contain anything.
      const [, fields = ""] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      const [state, , , , , , , , , , , , , , , , , , , start] = fields.split(" ");
      return state === "Z" ? undefined : start;
    } catch {
      return undefined;
    }
  }
  const { status, stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env: { LC_ALL: "C" },
  });
  return status === 0 ? stdout.trim() || undefined : undefined;
}
