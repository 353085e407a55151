import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { readJsonOrNull } from "../host/files.ts";

/** mngr's host dir on this machine: its agents, work trees and settings. Absolute. */
export function mngrHostDir(env: NodeJS.ProcessEnv): string {
  return env["MNGR_HOST_DIR"] || join(env["HOME"] || homedir(), `.${env["MNGR_ROOT_NAME"] || "mngr"}`);
}

/** Where mngr keeps an agent of this machine. */
export function agentFolder(hostDir: string, agentId: string): string {
  return join(hostDir, "agents", agentId);
}

export interface BrokenAgent {
  /** Of the agent; absolute. */
  readonly folder: string;
  /** Its data.json. */
  readonly file: string;
}

/** Agents whose data.json is not JSON (a full disk cut it short): mngr can then neither list nor create any agent. */
export function brokenAgents(hostDir: string): BrokenAgent[] {
  return agentIds(hostDir).flatMap((id) => {
    const folder = agentFolder(hostDir, id);
    const file = join(folder, "data.json");
    return readQuietly(file) === null ? [{ folder, file }] : [];
  });
}

/** What to do about a broken agent; its work tree and its branch are elsewhere. */
export function brokenAgentRemedy({ folder }: BrokenAgent, hostDir: string): string {
  const aside = join(hostDir, `broken-${folder.slice(folder.lastIndexOf("/") + 1)}`);
  return `move that agent aside (its work tree and branch stay): mv ${quoted(folder)} ${quoted(aside)}`;
}

/** @returns null for what is not JSON */
function readQuietly(file: string): unknown {
  try {
    return readJsonOrNull(file);
  } catch {
    return undefined;
  }
}

function agentIds(hostDir: string): string[] {
  try {
    return readdirSync(join(hostDir, "agents")).sort();
  } catch {
    return [];
  }
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
