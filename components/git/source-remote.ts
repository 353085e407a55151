import { quoted } from "../lib/shell-command.ts";
import { type Environment, type GitAnswer, git, localSeconds } from "./ask-git.ts";
import { chosenRemote, type Problem, type Remote, remoteOfUrl } from "./remote.ts";
import { isRepoUrl } from "./repo-name.ts";

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
