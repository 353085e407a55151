import type { InstallationPaths } from "../../host/installation-paths.ts";
import { printNote } from "../../lib/terminal.ts";
import { readRuns } from "./records.ts";

/**
 * Says which agents of removed changelings are kept, since their worktrees have changes that no commit holds.
 *
 * @param name of one changeling; undefined: of all
 */
export function warnOfUnsaved(paths: InstallationPaths, name?: string): void {
  for (const { id, agentId, agentIsKept, worktree } of readRuns(paths, name)) {
    if (!agentIsKept || agentId === undefined) continue;
    const place = worktree === undefined ? "" : `; its work is in ${worktree}`;
    const remove = `when you need it no more: mngr destroy ${agentId} --force`;
    printNote(`warning: the agent of ${id} was kept for its uncommitted changes${place}; ${remove}\n`);
  }
}
