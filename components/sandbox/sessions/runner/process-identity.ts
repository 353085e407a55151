import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ServiceFile } from "../protocol.ts";

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

/**
 * Whether a service may be sent its owner's token: its workerd still runs, or it is on Cloudflare. While workerd does not run,
 * another user's program can listen on its port.
 */
export function isServing({ workerd }: Pick<ServiceFile, "workerd">): boolean {
  return workerd === undefined || startOf(workerd.pid) === workerd.startedAt;
}
