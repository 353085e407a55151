import { countUncommitted } from "../../git/git.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { printNote } from "../../lib/terminal.ts";
import { mngrEnvironment } from "../../mngr/profile.ts";
import type { RecordedRun } from "../run-records.ts";
import { readRuns } from "./records.ts";

/**
 * Warns about agents of removed changelings that are kept because their worktrees have uncommitted changes.
 *
 * @param name a changeling whose other agents are being destroyed; undefined: all changelings, and other leftovers too
 */
export async function warnOfUnsaved(paths: InstallationPaths, name?: string): Promise<void> {
  const left: string[] = [];
  for (const run of readRuns(paths, name)) {
    const { id, agentId, agentIsKept, worktree } = run;
    if (!agentIsKept || agentId === undefined) continue;
    if (await isSaved(run)) {
      left.push(agentId);
      continue;
    }
    const place = worktree === undefined ? "" : `; its work is in ${worktree}`;
    const remove = `when you no longer need it: mngr destroy ${agentId} --force`;
    printNote(`warning: the agent of ${id} was kept for its uncommitted changes${place}; ${remove}\n`);
  }
  if (name !== undefined || left.length === 0) return;
  const which = left.length === 1 ? "an agent of an earlier run" : `${left.length} agents of earlier runs`;
  printNote(`warning: ${which} could not be destroyed in time; do it with: mngr destroy ${left.join(" ")} --force\n`);
}

/** Whether its worktree has no uncommitted changes; false if unknown. */
async function isSaved({ worktree }: RecordedRun): Promise<boolean> {
  return countUncommitted(worktree, mngrEnvironment(process.env)).then(
    (count) => count === 0,
    () => false,
  );
}
