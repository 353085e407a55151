import { homedir } from "node:os";
import { join } from "node:path";
import { readableNamesIn, readJsonOrNull } from "../host/files.ts";

/** mngr's host dir on this machine, with its agents, worktrees and settings. Absolute. */
export function mngrHostDir(env: NodeJS.ProcessEnv): string {
  return env["MNGR_HOST_DIR"] || join(env["HOME"] || homedir(), `.${env["MNGR_ROOT_NAME"] || "mngr"}`);
}

/** mngr's folder of an agent on this machine. */
export function agentFolder(hostDir: string, agentId: string): string {
  return join(hostDir, "agents", agentId);
}

export interface BrokenAgent {
  /** The agent's folder; absolute. */
  readonly folder: string;
  /** The agent's data.json. */
  readonly file: string;
}

/** Agents whose data.json is not JSON (truncated by a full disk). With one, mngr can't list or create any agents. */
export function brokenAgents(hostDir: string): BrokenAgent[] {
  const ids = readableNamesIn(join(hostDir, "agents")).sort();
  return ids.flatMap((id) => {
    const folder = agentFolder(hostDir, id);
    const file = join(folder, "data.json");
    return readQuietly(file) === null ? [{ folder, file }] : [];
  });
}

/** How to fix a broken agent. Its worktree and its branch are elsewhere. */
export function brokenAgentRemedy({ folder }: BrokenAgent, hostDir: string): string {
  const aside = join(hostDir, `broken-${folder.slice(folder.lastIndexOf("/") + 1)}`);
  return `move that agent aside (its work tree and branch stay): mv ${quoted(folder)} ${quoted(aside)}`;
}

/** @returns null if the file is not JSON */
function readQuietly(file: string): unknown {
  try {
    return readJsonOrNull(file);
  } catch {
    return undefined;
  }
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
