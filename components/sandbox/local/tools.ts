import { existsSync } from "node:fs";
import * as z from "zod/mini";
import { setUpTools } from "../../host/setup-tools.ts";
import type { LocalPart } from "../image/tools.ts";
import { type Progress, SandboxError } from "../provider.ts";

const localTools = z.object({
  bwrap: z.string(),
  /** Folders with a `node_modules`, by part. */
  parts: z.record(z.string(), z.string()),
  /** More folders for the sandbox, by their paths in it. */
  mounts: z._default(z.record(z.string(), z.string()), {}),
});
export type LocalTools = z.output<typeof localTools>;

/** Allows for a slow connection: a coding agent is 400 MB. */
const installSeconds = 1800;

const found = new Map<string, Promise<LocalTools>>();

/**
 * Finds bubblewrap and parts of the image's npm packages, and installs missing ones in the cache.
 *
 * @param parts the required ones; the result also has others that are installed
 */
export async function findTools(parts: readonly LocalPart[], progress: Progress): Promise<LocalTools> {
  const key = JSON.stringify([...parts].sort());
  const known = await found.get(key);
  // Someone may have removed the cache since.
  if (known !== undefined && isInstalled(known)) return known;
  const setup = runSetup(parts, progress);
  found.set(key, setup);
  // The next caller tries again.
  setup.catch(() => found.delete(key));
  return setup;
}

async function runSetup(parts: readonly LocalPart[], { onProgress, signal }: Progress): Promise<LocalTools> {
  const { code, stdout, stderr } = await setUpTools(parts, {
    env: process.env,
    timeoutSeconds: installSeconds,
    signal,
    onOutput: (text, stream) => {
      if (stream === "stderr") for (const line of text.split("\n").filter(Boolean)) onProgress?.(line);
    },
  });
  if (code !== 0) throw new SandboxError("tools", stderr.trim() || `setup ended with ${code}`);
  return localTools.parse(JSON.parse(stdout));
}

function isInstalled({ bwrap, parts, mounts }: LocalTools): boolean {
  return [bwrap, ...Object.values(parts), ...Object.values(mounts)].every((path) => existsSync(path));
}

/** The parts that a runtime needs. Every agent gets the image's MCP servers. */
export function partsOf(runtime: string): LocalPart[] {
  if (runtime === "stub") return [];
  // Most of the agents that mngr runs are Claude Code.
  if (runtime === "mngr") return ["mcp", "claude", "mngr"];
  return runtime === "claude" || runtime === "codex" ? ["mcp", runtime] : ["mcp"];
}
