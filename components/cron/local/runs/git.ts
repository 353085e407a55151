import { branchExists, type Git, GitError, isAncestor, succeeds } from "../../../git/git.ts";

/** git operations of a run that `git-work.sh` does not cover. */

/** What a run starts from. */
export interface Base {
  /** `refs/heads/main`, or `refs/remotes/origin/main`. */
  readonly ref: string;
  /** The shortest unambiguous name of this ref: `main`, or `heads/main` if a tag has the same name. */
  readonly name: string;
}

/**
 * The ref that a new branch starts from: the local branch, or the remote one if there is no local branch or it is only
 * behind.
 * @param followed the remote branch; undefined: the local branch is used as it is
 * @throws GitError if there is neither
 */
export async function baseOf(
  git: Git,
  branch: string,
  followed?: string,
): Promise<{ readonly base: Base; readonly warning?: string }> {
  const [local, remote] = [`refs/heads/${branch}`, followed ?? `refs/remotes/origin/${branch}`];
  const [hasLocal, hasRemote] = await Promise.all([local, remote].map((ref) => refExists(git, ref)));
  if (!hasLocal && !hasRemote)
    throw new GitError(`the repository has no branch "${branch}", nor has its remote "origin"`);
  if (!hasLocal) return { base: await namedBase(git, remote) };
  const base = await namedBase(git, local);
  if (!hasRemote || followed === undefined || (await isAncestor(git, remote, local))) return { base };
  const theirs = await namedBase(git, remote);
  if (await isAncestor(git, local, remote)) return { base: theirs };
  return { base, warning: `${base.name} and ${theirs.name} have diverged, so it started from ${base.name}` };
}

function refExists(git: Git, ref: string): Promise<boolean> {
  return succeeds(git, ["show-ref", "--verify", "--quiet", ref]);
}

export async function namedBase(git: Git, ref: string): Promise<Base> {
  return { ref, name: (await git.run(["for-each-ref", "--format=%(refname:short)", ref])).trim() };
}

/** Otherwise a plain `git push` would push the branch onto its base. @param base the upstream to remove */
export async function unsetUpstream(git: Git, branch: string, base: string): Promise<void> {
  const upstream = await git.run(["for-each-ref", "--format=%(upstream)", `refs/heads/${branch}`]);
  if (upstream.trim() === base) await git.run(["branch", "--unset-upstream", branch]);
}

/** Deletes a branch if other branches contain all its commits. */
export async function deleteBranchIfEmpty(git: Git, branch: string): Promise<void> {
  if (!(await branchExists(git, branch))) return;
  const elsewhere = ["--not", `--exclude=${branch}`, "--branches", "--remotes"];
  const own = await git.run(["rev-list", "--max-count=1", `refs/heads/${branch}`, ...elsewhere, "--"]);
  if (own.trim() === "") await git.run(["branch", "--delete", "--force", branch]);
}
