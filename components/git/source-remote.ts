import { quoted } from "../lib/shell-command.ts";
import { type GitAnswer, git } from "./ask-git.ts";
import { chosenRemote, type Remote, remoteOfUrl } from "./remote.ts";
import { isRepoUrl } from "./repo-name.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Why a source can't be used. */
export interface Problem {
  /** What is wrong. Contains no credentials. */
  readonly message: string;
  /** The command or the edit that fixes it. */
  readonly remedy: string;
}

/** The timeout for git in a local repository. */
export const localSeconds = 10;

/**
 * The remote of a repository: a URL itself; for a local repository the branch's upstream remote, else `origin`, else
 * the only one.
 *
 * @param repo absolute path or URL
 */
export async function remoteOf(
  { repo, branch }: { readonly repo: string; readonly branch: string },
  environment: Environment,
): Promise<Remote | Problem> {
  if (isRepoUrl(repo)) return remoteOfUrl(repo);
  const inRepo = (...args: string[]) => git(["-C", repo, ...args], environment, localSeconds);
  // `remote -v` prints URLs after `insteadOf` is applied.
  const [remotes, follows] = await Promise.all([
    inRepo("remote", "-v"),
    inRepo("for-each-ref", "--format=%(upstream:remotename)", `refs/heads/${branch}`),
  ]);
  if (remotes.code !== 0) return unreadable(repo, remotes);
  return chosenRemote(repo, remotes.stdout, follows.stdout.trim());
}

/** Why git could not read a local repository, in git's own words. */
export function unreadable(repo: string, { stderr, code, isLate }: GitAnswer): Problem {
  const remedy = `see what git -C ${quoted(repo)} status says`;
  if (isLate) return { message: `git took longer than ${localSeconds} s to read ${repo}`, remedy };
  if (code === undefined)
    return { message: "git can't be run", remedy: "install git, and make sure that it is on PATH" };
  const [line = ""] = stderr.trim().split("\n");
  return { message: `git can't read ${repo}: ${line.replace(/^fatal: /, "")}`, remedy };
}
