import { branchExists, type Git, GitError, mergeBase } from "../../../git/git.ts";

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
  const [ours, theirs] = await namedBases(git, [local, remote]);
  const { base } = ours ?? theirs ?? {};
  if (base === undefined) throw new GitError(`the repository has no branch "${branch}", nor has its remote "origin"`);
  if (ours === undefined || theirs === undefined || followed === undefined) return { base };
  const common = ours.commit === theirs.commit ? ours.commit : await mergeBase(git, ours.commit, theirs.commit);
  if (common === theirs.commit) return { base };
  if (common === ours.commit) return { base: theirs.base };
  return { base, warning: `${base.name} and ${theirs.base.name} have diverged, so it started from ${base.name}` };
}

/** Refs with their names and objects, in one git process; undefined for one that does not exist. */
export async function namedBases(
  git: Git,
  refs: readonly string[],
): Promise<({ readonly base: Base; readonly commit: string } | undefined)[]> {
  // A pattern also lists the refs below it.
  const listed = await git.run(["for-each-ref", "--format=%(refname) %(objectname) %(refname:short)", ...refs]);
  const lines = listed.split("\n").map((line) => line.split(" "));
  return refs.map((ref) => {
    const [, commit, name] = lines.find(([each]) => each === ref) ?? [];
    return commit === undefined || name === undefined ? undefined : { base: { ref, name }, commit };
  });
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
