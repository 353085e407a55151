import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { findFence, programOnPath } from "../../../components/seed-agent/program/hot-reload/fence.ts";
import type { Fence } from "../../../components/seed-agent/program/hot-reload/version-host.ts";

/** The permission model alone, which is everywhere. */
export const permission: Fence = { name: "permission" };

/**
 * bubblewrap, which is installed into the cache if it is not on PATH, or undefined where it does not work: the reason is
 * printed.
 */
export async function bubblewrap(): Promise<Fence | undefined> {
  addToPath();
  const fence = await findFence("auto");
  if (fence.name === "bubblewrap") return fence;
  process.stderr.write(`tests of bubblewrap are skipped: ${fence.reason}\n`);
  return undefined;
}

/** The fences of this machine, by name. */
export async function fences(): Promise<readonly Fence[]> {
  const own = await bubblewrap();
  return own === undefined ? [permission] : [own, permission];
}

function addToPath(): void {
  if (programOnPath("bwrap") !== undefined) return;
  const script = fileURLToPath(new URL("../../../scripts/stack/setup/sandbox-tools.ts", import.meta.url));
  try {
    const { bwrap } = JSON.parse(execFileSync(process.execPath, [script], { encoding: "utf8" }));
    process.env["PATH"] = `${dirname(bwrap)}:${process.env["PATH"] ?? ""}`;
  } catch (error) {
    process.stderr.write(`bubblewrap can't be installed: ${String(error)}\n`);
  }
}
