import { branchExists, type Git, GitError, succeeds } from "../../../source/git.ts";
import type { Commit } from "../../runs/run.ts";

/** What a run asks of git. */

/** More commits than this of one run are not listed in its record. */
const mostCommits = 100;

/**
 * What a new branch starts from: the local branch as it is, or the remote's when there is no local one.
 * @throws GitError when there is neither
 */
export async function baseOf(git: Git, branch: string): Promise<string> {
  if (await branchExists(git, branch)) return branch;
  const remote = `origin/${branch}`;
  if (await succeeds(git, ["show-ref", "--verify", "--quiet", `refs/remotes/${remote}`])) return remote;
  throw new GitError(`the repository has no branch "${branch}", nor has its remote "origin"`);
}

/** The commit at which a branch left another. */
export async function forkPoint(git: Git, base: string, branch: string): Promise<string> {
  return (await git.run(["merge-base", base, `refs/heads/${branch}`])).trim();
}

/** Commits of a branch since `base`, newest first; none when the branch is not there. */
export async function commitsSince(git: Git, base: string, branch: string): Promise<Commit[]> {
  if (!(await branchExists(git, branch))) return [];
  const args = ["log", `--max-count=${mostCommits}`, "--format=%H%x09%s", `${base}..refs/heads/${branch}`, "--"];
  return (await git.run(args))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ hash: line.slice(0, line.indexOf("\t")), subject: line.slice(line.indexOf("\t") + 1) }));
}

/** Removes a branch that has nothing of its own; one with commits stays. */
export async function deleteBranchIfEmpty(git: Git, base: string, branch: string): Promise<void> {
  if (!(await branchExists(git, branch))) return;
  if ((await commitsSince(git, base, branch)).length === 0) await git.run(["branch", "--delete", "--force", branch]);
}
