import { branchExists, type Git, GitError, succeeds } from "../../../source/git.ts";

/** What a run asks of git, beside what `git-work.sh` does. */

/** What a run starts from. */
export interface Base {
  /** `refs/heads/main`, or `refs/remotes/origin/main`. */
  readonly ref: string;
  /** The shortest name that means this ref and no other: `main`; `heads/main` where a tag is named so too. */
  readonly name: string;
}

/**
 * What a new branch starts from: the local branch as it is, or the remote's when there is no local one.
 * @throws GitError when there is neither
 */
export async function baseOf(git: Git, branch: string): Promise<Base> {
  for (const ref of [`refs/heads/${branch}`, `refs/remotes/origin/${branch}`]) {
    if (await succeeds(git, ["show-ref", "--verify", "--quiet", ref])) return namedBase(git, ref);
  }
  throw new GitError(`the repository has no branch "${branch}", nor has its remote "origin"`);
}

export async function namedBase(git: Git, ref: string): Promise<Base> {
  return { ref, name: (await git.run(["for-each-ref", "--format=%(refname:short)", ref])).trim() };
}

/** Removes a branch when other branches hold all of its commits. */
export async function deleteBranchIfEmpty(git: Git, branch: string): Promise<void> {
  if (!(await branchExists(git, branch))) return;
  const elsewhere = ["--not", `--exclude=${branch}`, "--branches", "--remotes"];
  const own = await git.run(["rev-list", "--max-count=1", `refs/heads/${branch}`, ...elsewhere, "--"]);
  if (own.trim() === "") await git.run(["branch", "--delete", "--force", branch]);
}
