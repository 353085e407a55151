import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { gitReason } from "./reason.ts";
import { safeGitEnvironment } from "./safe-git.ts";

/** git on this machine. Every call names the repository. git never prompts, and never runs a repository's programs. */

/** A git command failed; the message is git's own. */
export class GitError extends Error {
  /** Git's complete stderr. */
  readonly stderr: string;

  constructor(message: string, stderr = "") {
    super(message);
    this.stderr = stderr;
  }
}

/** In milliseconds. Local commands take milliseconds; a clone over a slow connection takes minutes. */
const timeoutMs = { local: 60_000, network: 900_000 };

export interface Git {
  /** @param input git's stdin @returns git's stdout @throws GitError */
  run(args: readonly string[], how?: "local" | "network", input?: string): Promise<string>;
}

/** @param env the environment of git and of the helpers that it starts */
export function gitIn(folder: string, env: Readonly<Record<string, string>>): Git {
  return {
    run: (args, how = "local", input = "") =>
      new Promise((resolve, reject) => {
        const options = {
          cwd: folder,
          env: safeGitEnvironment(env),
          timeout: timeoutMs[how],
          maxBuffer: 64 * 1024 * 1024,
        };
        const child = execFile("git", args, options, (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(new GitError(`git ${args[0]}: ${gitReason(stderr) ?? error.message}`, stderr));
        });
        // A git that ends before it has read everything is reported by its exit status.
        child.stdin?.on("error", () => {}).end(input);
      }),
  };
}

/** Whether a git command succeeds. */
export async function succeeds(git: Git, args: readonly string[]): Promise<boolean> {
  try {
    await git.run(args);
    return true;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}

export function branchExists(git: Git, branch: string): Promise<boolean> {
  return succeeds(git, ["show-ref", "--verify", "--quiet", `refs/heads/${branch}`]);
}

/** @returns the commit, 40 hexadecimal digits; undefined if the name does not exist */
export async function commitOf(git: Git, name: string): Promise<string | undefined> {
  try {
    return (await git.run(["rev-parse", "--quiet", "--verify", `${name}^{commit}`])).trim();
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
}

/**
 * The ids of objects, in one git process; undefined for a name that does not exist.
 * @param names without line breaks: `HEAD^{commit}`, `main^{tree}`
 * @throws GitError
 */
export async function objectIds(git: Git, names: readonly string[]): Promise<(string | undefined)[]> {
  const lines = (await git.run(["cat-file", "--batch-check=%(objectname)"], "local", `${names.join("\n")}\n`)).split(
    "\n",
  );
  return names.map((_, index) => /^[0-9a-f]{40,64}$/.exec(lines[index] ?? "")?.[0]);
}

/** The best common ancestor of two commits: one of them, if the other one contains it; undefined if they have none. */
export async function mergeBase(git: Git, one: string, other: string): Promise<string | undefined> {
  try {
    return (await git.run(["merge-base", one, other])).trim();
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
}

export function isAncestor(git: Git, ancestor: string, commit: string): Promise<boolean> {
  return succeeds(git, ["merge-base", "--is-ancestor", ancestor, commit]);
}

/**
 * The worktree in which a branch is checked out. Otherwise the worktree that mngr created for this agent, which may
 * have checked out another branch since. undefined if there is neither.
 */
export async function worktreeOf(git: Git, branch: string, agent: string): Promise<string | undefined> {
  const blocks = (await git.run(["worktree", "list", "--porcelain"])).split("\n\n");
  const folders = blocks.flatMap((block) => /^worktree (.+)$/m.exec(block)?.[1] ?? []);
  const at = blocks.findIndex((block) => block.split("\n").includes(`branch refs/heads/${branch}`));
  return folders[at] ?? folders.find((folder) => basename(folder).startsWith(`${agent}-`));
}

/**
 * How many files of a worktree have uncommitted changes; 0 if the worktree is gone or empty.
 * @throws GitError, also if the folder is no longer a worktree: git would answer for an enclosing repository
 */
export async function countUncommitted(
  worktree: string | undefined,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  if (worktree === undefined || !existsSync(worktree) || readdirSync(worktree).length === 0) return 0;
  if (!existsSync(join(worktree, ".git"))) throw new GitError(`${worktree} is no longer a work tree: its .git is gone`);
  const listed = await gitIn(worktree, env).run(["status", "--porcelain", "--untracked-files=normal"]);
  return listed.split("\n").filter((line) => line !== "").length;
}

/** The committer for an agent on a machine where git has no identity; empty if git has one. */
export async function fallbackIdentity(git: Git, changeling: string): Promise<Record<string, string>> {
  return (await succeeds(git, ["config", "user.email"])) ? {} : identityOf(changeling);
}

/** The committer for an agent on a machine where git has no identity. */
export function identityOf(changeling: string): Record<string, string> {
  const name = `${changeling} (changeling)`;
  const email = `${changeling}@changelings.invalid`;
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
}
