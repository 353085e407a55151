import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Why a test can't mount its own file system here; undefined if it can. */
export function noTinyDisk(): string | undefined {
  if (process.platform !== "linux" || !existsSync("/usr/bin/unshare")) return "it takes unshare(1) of Linux";
  const tried = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"], { encoding: "utf8" });
  return tried.status === 0 ? undefined : `nothing can be mounted here: ${tried.stderr.trim()}`;
}

/**
 * Runs a program of `test/support/` with a private disk, of 64 KiB by default, at `folder`, which is unmounted afterwards.
 *
 * @returns its output, parsed from JSON
 */
export function runOnTinyDisk(program: string, folder: string, size = "64k"): unknown {
  const script = 'mount -t tmpfs -o size="$4",mode=700 none "$1" && exec "$2" "$3" "$1"';
  const file = join(import.meta.dirname, program);
  const args = ["--mount", "sh", "-c", script, "sh", folder, process.execPath, file, size];
  const { status, stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8", timeout: 30_000 });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
