import { quoted } from "../lib/shell-command.ts";
import { type GitAnswer, git } from "./ask-git.ts";
import { httpsRemote } from "./remote.ts";
import { isRepoUrl, shownRepo } from "./repo-name.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Why a source can't be used. */
export interface Problem {
  /** What is wrong. Contains no credentials. */
  readonly message: string;
  /** The command or the edit that fixes it. */
  readonly remedy: string;
}

/** The URL that agents on other machines clone from and push to. */
export interface Remote {
  /** http(s), without credentials. */
  readonly url: string;
  /** Its name in the local repository; undefined for a repository that is declared by URL. */
  readonly name: string | undefined;
}

/** The timeout for git in a local repository. */
export const localSeconds = 10;

const orWriteIt = 'or write the https URL itself: repo = "https://…"';

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
  if (isRepoUrl(repo)) return converted(undefined, repo, 'write its https URL: repo = "https://…"');
  const inRepo = (...args: string[]) => git(["-C", repo, ...args], environment, localSeconds);
  // `remote -v` prints URLs after `insteadOf` is applied.
  const [remotes, follows] = await Promise.all([
    inRepo("remote", "-v"),
    inRepo("for-each-ref", "--format=%(upstream:remotename)", `refs/heads/${branch}`),
  ]);
  if (remotes.code !== 0) return unreadable(repo, remotes);
  const urls = new Map<string, string>();
  for (const line of remotes.stdout.split("\n")) {
    const [, name, url] = /^(\S+)\t(.*) \(fetch\)/.exec(line) ?? [];
    if (name !== undefined && url !== undefined) urls.set(name, url);
  }
  for (const name of [follows.stdout.trim(), "origin", ...(urls.size === 1 ? urls.keys() : [])]) {
    const url = urls.get(name);
    if (url === undefined) continue;
    return converted(name, url, `git -C ${quoted(repo)} remote set-url ${quoted(name)} <URL>, ${orWriteIt}`);
  }
  const lacks = urls.size === 0 ? "no remote" : `several remotes (${[...urls.keys()].join(", ")}), and no origin`;
  return {
    message: `${repo} has ${lacks}: an agent on another machine can't clone it`,
    remedy: `git -C ${quoted(repo)} remote add origin <URL>, ${orWriteIt}`,
  };
}

function converted(name: string | undefined, from: string, remedy: string): Remote | Problem {
  const url = httpsRemote(from);
  if (url !== undefined) return { url, name };
  const what = name === undefined ? "the repository" : `its remote ${name}`;
  return { message: `${what} is ${shownRepo(from)}, which an agent on another machine can't reach by https`, remedy };
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
