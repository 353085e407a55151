import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { commitOf, type Git, GitError, gitIn, mergeBase } from "../../git/git.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { quoted } from "../../lib/shell-command.ts";

/**
 * New code could not be merged into the agent's repo; nothing was changed. The message names the files and the remedy.
 */
export class MergeRefused extends Error {}

/** The agent's branch before the merge, and after it or planned. Commits, 40 hexadecimal digits. */
export interface Merged {
  readonly before: string;
  readonly after: string;
}

/** If an interrupted update has already moved the branch, the previous version is where that update began. */
export function sinceLastStart({ merged }: { readonly merged?: Merged | undefined }, now: Merged): Merged {
  return merged?.after === now.before ? { before: merged.before, after: now.after } : now;
}

export interface MergeOptions {
  /** What git may see, including the committer. */
  readonly env: Readonly<Record<string, string>>;
  /** The commit that was last seen as the branch's; undefined if it had none. */
  readonly head: string | undefined;
  /** Whether the repository was just created, with nothing in it. */
  readonly isNew: boolean;
  /** Called with the merge commit before the branch is moved; if it throws, the branch is not moved. */
  readonly accept: (commit: string) => Promise<void>;
  /** Called before the branch is moved. */
  readonly onMove: (merged: Merged) => void | Promise<void>;
}

/** Limit of attempts; a retry is needed if the agent has committed in the meantime. */
const attempts = 5;
/** For git, whose messages are parsed. */
const quiet = { LC_ALL: "C" };

/**
 * Merges a commit into the branch that is checked out in a repository where an agent is working. The work tree changes
 * to the merge result in one step or stays as it is, so it never shows a conflict.
 *
 * @throws MergeRefused
 */
export async function mergeInto(repo: string, theirs: string, options: MergeOptions): Promise<Merged> {
  const git = gitIn(repo, { ...options.env, ...quiet });
  let before = options.head;
  for (let attempt = 1; ; attempt++) {
    if (before === undefined) {
      await options.accept(theirs);
      // `merge` starts two more processes here, but overwrites nothing.
      await git.run(options.isNew ? ["reset", "--quiet", "--hard", theirs] : ["merge", "--quiet", "--ff-only", theirs]);
      return { before: theirs, after: theirs };
    }
    const base = await mergeBase(git, before, theirs);
    if (base === theirs) {
      await options.accept(before);
      return { before, after: before };
    }
    const merged = { before, after: base === before ? theirs : await mergedAside(repo, before, theirs, options) };
    await options.accept(merged.after);
    await options.onMove(merged);
    try {
      await git.run(["merge", "--quiet", "--ff-only", merged.after]);
      return merged;
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      const now = await commitOf(git, "HEAD");
      if (now === before || attempt === attempts) throw refusedByLocalChanges(repo, error);
      before = now;
    }
  }
}

function asideOf(repo: string): string {
  return `${repo}.merge`;
}

/**
 * Merges in a separate work tree.
 * @returns the merge commit
 */
async function mergedAside(repo: string, ours: string, theirs: string, { env }: MergeOptions): Promise<string> {
  const aside = asideOf(repo);
  const git = gitIn(repo, { ...env, ...quiet });
  await removeAside(git, repo);
  try {
    await git.run(["worktree", "add", "--quiet", "--detach", aside, ours]);
    const inAside = gitIn(aside, { ...env, ...quiet });
    try {
      await inAside.run(["merge", "--quiet", "--no-ff", "--message", "Merge what is declared", theirs]);
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      throw await conflict(repo, inAside, theirs, error);
    }
    const merged = await commitOf(inAside, "HEAD");
    if (merged === undefined) throw new GitError(`${aside} has no commit`);
    return merged;
  } finally {
    await removeAside(git, repo);
  }
}

async function removeAside(git: Git, repo: string): Promise<void> {
  rmSync(asideOf(repo), { recursive: true, force: true });
  // Otherwise git knows no work tree but the main one.
  if (existsSync(join(repo, ".git", "worktrees"))) await git.run(["worktree", "prune"]);
}

async function conflict(repo: string, git: Git, theirs: string, error: GitError): Promise<MergeRefused> {
  const listed = await git.run(["diff", "--name-only", "--diff-filter=U", "-z"]);
  const files = listed.split("\0").filter((file) => file !== "");
  if (files.length === 0) return new MergeRefused(`the new code can't be merged into the agent's: ${error.message}`);
  return new MergeRefused(
    `the new code conflicts with the agent's own commits in ${files.join(", ")}; merge it by hand: ` +
      `git -C ${quoted(repo)} merge ${theirs.slice(0, 12)}, then: ${upCommand()}`,
  );
}

/** @param error git's error, which names the files */
export function refusedByLocalChanges(repo: string, error: GitError): MergeRefused {
  const files = error.stderr.split("\n").flatMap((line) => /^\t(.+)$/.exec(line)?.[1] ?? []);
  if (files.length === 0) return new MergeRefused(`the new code can't be merged into the agent's: ${error.message}`);
  return new MergeRefused(
    `the new code would overwrite the agent's uncommitted changes in ${files.join(", ")}; commit them or ` +
      `stash them: git -C ${quoted(repo)} stash --include-untracked, then: ${upCommand()}`,
  );
}

/**
 * Undoes a merge unless something was committed on top of it. Uncommitted files are kept.
 * @returns whether it was undone
 */
export async function undoMerge(
  repo: string,
  { before, after }: Merged,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const git = gitIn(repo, { ...env, ...quiet });
  if (before === after) return true;
  if ((await commitOf(git, "HEAD")) !== after) return false;
  try {
    await git.run(["reset", "--quiet", "--keep", before]);
    return true;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}
