import { stat } from "node:fs/promises";
import { join } from "node:path";
import { inParallel } from "../lib/parallel.ts";
import { quoted } from "../lib/shell-command.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type Environment, type GitAnswer, git, localSeconds } from "./ask-git.ts";
import type { Problem } from "./remote.ts";
import { isRepoUrl, shownRepo } from "./repo-name.ts";
import { unreadable } from "./source-remote.ts";

/** A ref of a local repository. */
export interface Ref {
  readonly commit: string;
  /** The branch's upstream remote; empty if it has none. */
  readonly followed: string;
}

/** A repository that agents can work on. */
export interface UsableRepository {
  readonly branches: ReadonlySet<string>;
  /** By full name, including those of the remotes that were asked. */
  readonly refs: ReadonlyMap<string, Ref>;
  /** The output of `git remote -v`. */
  readonly remotes: string;
  /** The full names of branches that prevent a branch `changelings/…`, for instance `refs/heads/changelings`. */
  readonly inTheWay: readonly string[];
  /** Whether it has no checkout. Meaningless for a URL. */
  readonly isBare: boolean;
  /** The tags of a local repository. */
  readonly tags: ReadonlySet<string>;
}

/** A usable repository, or why it can't be used. */
export type Repository = UsableRepository | (Problem & { readonly isCertain: boolean });

export interface ObserveReposOptions {
  readonly environment: Environment;
  /** Whether to ask the repositories that are declared by URL, which needs the network. Otherwise they are omitted. */
  readonly checkRemotes: boolean;
  /** The local repositories whose remotes are asked as well. */
  readonly remotesOf?: ReadonlySet<string>;
  /** The timeout for each remote. */
  readonly remoteSeconds?: number;
}

/**
 * Observes each repository once, with one git process, and one more for its remotes.
 * @param repos absolute paths and URLs
 */
export async function observeRepos(
  repos: Iterable<string>,
  { environment, checkRemotes, remotesOf = new Set(), remoteSeconds = 10 }: ObserveReposOptions,
): Promise<ReadonlyMap<string, Repository>> {
  const known = new Map<string, Repository>();
  await inParallel(new Set(repos), 8, async (repo) => {
    if (!isRepoUrl(repo)) known.set(repo, await localRepository(repo, environment, remotesOf.has(repo)));
    else if (checkRemotes) known.set(repo, await remoteRepository(repo, environment, remoteSeconds));
  });
  return known;
}

/** The root of the git repository that contains the folder; undefined if there is none. */
export async function repoAround(folder: string, environment: Environment): Promise<string | undefined> {
  const { code, stdout } = await git(["-C", folder, "rev-parse", "--show-toplevel"], environment, localSeconds);
  return code === 0 ? stdout.replace(/\n$/, "") : undefined;
}

/** Whether git tracks the file. */
export async function isTracked(folder: string, name: string, environment: Environment): Promise<boolean> {
  const { code } = await git(["-C", folder, "ls-files", "--error-unmatch", "--", name], environment, localSeconds);
  return code === 0;
}

/** How many commits one ref has that the other does not have; undefined if git can't tell. */
export async function commitsAhead(
  path: string,
  { ref, of }: { readonly ref: string; readonly of: string },
  environment: Environment,
): Promise<number | undefined> {
  const range = ["rev-list", "--count", `${of}..${ref}`, "--"];
  const { code, stdout } = await git(["-C", path, ...range], environment, localSeconds);
  return code === 0 ? Number(stdout) : undefined;
}

/** Why agents can't start from the branch; undefined if they can. */
export function branchProblem(branch: string, branches: ReadonlySet<string>): Problem | undefined {
  if (branches.has(branch)) return undefined;
  const meant =
    didYouMean(branch, branches) ?? ["main", "master", "trunk", "develop"].find((name) => branches.has(name));
  const remedy = meant === undefined ? `it has ${listed(branches)}` : `did you mean branch = "${meant}"?`;
  return { message: `the repository has no branch "${branch}"`, remedy };
}

function listed(branches: ReadonlySet<string>): string {
  const names = [...branches].sort();
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
}

async function localRepository(path: string, environment: Environment, asksRemotes: boolean): Promise<Repository> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
  if (isFolder === undefined)
    return certain({
      message: `there is no folder ${path}`,
      remedy: "clone the repository there, or correct the path",
    });
  if (!isFolder) return certain({ message: `${path} is a file`, remedy: "name the repository's folder" });
  const ask = asksRemotes
    ? ["--format=%(refname) %(objectname) %(upstream:remotename)", "refs/heads", "refs/remotes", "refs/tags"]
    : ["--format=%(refname)", "refs/heads", "refs/remotes/origin", "refs/tags"];
  const [listed, remotes] = await Promise.all([
    git(["-C", path, "for-each-ref", ...ask], environment, localSeconds),
    asksRemotes ? git(["-C", path, "remote", "-v"], environment, localSeconds) : undefined,
  ]);
  if (listed.code !== 0) return unusable(path, listed);
  const refs = new Map<string, Ref>();
  const branches = new Set<string>();
  const tags = new Set<string>();
  const inTheWay: string[] = [];
  for (const line of listed.stdout.split("\n")) {
    const [ref = "", commit = "", followed = ""] = line.split(" ");
    if (ref.startsWith("refs/tags/")) {
      tags.add(ref.slice("refs/tags/".length));
      continue;
    }
    if (/^refs\/(heads|remotes\/[^/]+)\/changelings$/.test(ref)) inTheWay.push(ref);
    const branch = /^refs\/(?:heads|remotes\/origin)\/(.+)$/.exec(ref)?.[1];
    if (branch !== undefined && ref !== "refs/remotes/origin/HEAD") branches.add(branch);
    if (commit !== "") refs.set(ref, { commit, followed });
  }
  if (branches.size > 0)
    return { branches, refs, remotes: remotes?.stdout ?? "", inTheWay, isBare: await isBare(path), tags };
  const remedy = `commit something: git -C ${quoted(path)} commit --allow-empty -m "First commit"`;
  return certain({ message: `${path} has no commits yet`, remedy });
}

/** Whether a folder is a bare repository. Starts no process. */
async function isBare(path: string): Promise<boolean> {
  const has = (name: string) =>
    stat(join(path, name)).then(
      () => true,
      () => false,
    );
  const [head, objects, refs, git] = await Promise.all(["HEAD", "objects", "refs", ".git"].map(has));
  return head === true && objects === true && refs === true && git === false;
}

function unusable(path: string, answer: GitAnswer): Repository {
  const { stderr } = answer;
  if (/dubious ownership/.test(stderr)) {
    const remedy = `git config --global --add safe.directory ${quoted(path)}`;
    return certain({ message: `${path} belongs to another user, and git refuses to read it`, remedy });
  }
  if (/not a git repository/.test(stderr)) {
    const remedy = `git -C ${quoted(path)} init, or correct the path`;
    return certain({ message: `${path} is not a git repository`, remedy });
  }
  return certain(unreadable(path, answer));
}

async function remoteRepository(url: string, environment: Environment, remoteSeconds: number): Promise<Repository> {
  const answer = await git(["ls-remote", "--heads", "--", url], environment, remoteSeconds);
  const { code, stdout, stderr, isLate } = answer;
  const remedy = `check: git ls-remote ${quoted(shownRepo(url))}`;
  if (code === 0) {
    const branches = new Set(stdout.split("\n").flatMap((line) => /\trefs\/heads\/(.+)$/.exec(line)?.[1] ?? []));
    const inTheWay = branches.has("changelings") ? ["refs/heads/changelings"] : [];
    if (branches.size > 0) return { branches, refs: new Map(), remotes: "", inTheWay, isBare: false, tags: new Set() };
    return certain({ message: "the repository has no commits yet", remedy: "push a first commit to it" });
  }
  if (isLate) return uncertain({ message: `${shownRepo(url)} didn't answer within ${remoteSeconds} s`, remedy });
  if (/not found|does not exist|not appear to be a git repository|not a git repository/i.test(stderr)) {
    const message = `there is no repository at ${shownRepo(url)}`;
    return certain({ message, remedy: "correct the URL, or create the repository" });
  }
  if (code === undefined) return certain(unreadable(shownRepo(url), answer));
  return uncertain({ message: `${shownRepo(url)} can't be checked: ${remoteReason(stderr)}`, remedy });
}

/** Why a remote can't be used. git's own message is not shown, because it may contain the URL's credentials. */
export function remoteReason(stderr: string): string {
  if (/could not read (Username|Password)|Authentication failed|Permission denied/i.test(stderr))
    return "git has no access";
  if (/resolve host|Connection|connect to|timed out|unreachable/i.test(stderr)) return "the host can't be reached";
  return "git failed";
}

function certain(problem: Problem): Repository {
  return { ...problem, isCertain: true };
}

function uncertain(problem: Problem): Repository {
  return { ...problem, isCertain: false };
}
