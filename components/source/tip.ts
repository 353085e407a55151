import { type Environment, type GitAnswer, git, localSeconds } from "../git/ask-git.ts";
import { branchProblem, remoteReason } from "../git/refs.ts";
import type { Problem } from "../git/remote.ts";
import { isRepoUrl, shownRepo } from "../git/repo-name.ts";
import { remoteOf, unreadable } from "../git/source-remote.ts";
import { inParallel } from "../lib/parallel.ts";
import { quoted } from "../lib/shell-command.ts";

/** The timeout of a remote. */
const remoteSeconds = 25;
/** Previews show the subjects. */
const longestSubject = 100;

/** A branch's tip when the program runs, for `image = "pinned"`. */
export interface Tip {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** First line of its message, possibly shortened; undefined if the commit itself could not be read. */
  readonly subject: string | undefined;
  /** Whether the branch's worktree has uncommitted changes. */
  readonly isDirty: boolean;
  /** How many of its commits are not known to be on the remote; undefined if that can't be determined. */
  readonly unpushed: number | undefined;
  /** The remote's name in the local repository; undefined if that has none, or if the repository is a URL. */
  readonly remote: string | undefined;
}

export interface Branch {
  /** Absolute path or URL. */
  readonly repo: string;
  readonly branch: string;
}

export interface TipOptions {
  readonly environment: Environment;
  /** Whether to ask local repositories' remotes. Otherwise the last fetch or push counts. URLs are always asked. */
  readonly checkRemotes: boolean;
  /** The credentials for git. @param url that git contacts @param repo the `Branch.repo` that this is for */
  readonly credentials?: (url: string, repo: string) => Record<string, string>;
}

/**
 * Reads the tips of branches: one query per repository, in parallel, for any number of changelings.
 *
 * @returns a function from a requested branch to its tip, or to why there is none
 */
export async function tipsOf(
  wanted: Iterable<Branch>,
  options: TipOptions,
): Promise<(of: Branch) => Tip | Problem | undefined> {
  const branches = new Map<string, Set<string>>();
  for (const { repo, branch } of wanted) branches.set(repo, (branches.get(repo) ?? new Set()).add(branch));
  const tips = new Map<string, ReadonlyMap<string, Tip | Problem>>();
  await inParallel(branches, 8, async ([repo, names]) => {
    tips.set(repo, await (isRepoUrl(repo) ? remoteTips(repo, names, options) : localTips(repo, names, options)));
  });
  return ({ repo, branch }) => tips.get(repo)?.get(branch);
}

type Tips = ReadonlyMap<string, Tip | Problem>;

async function remoteTips(url: string, names: ReadonlySet<string>, options: TipOptions): Promise<Tips> {
  const heads = await headsOf(url, ["ls-remote", "--heads", "--", url], options, url);
  return mapped(names, (branch) => {
    if ("message" in heads) return heads;
    const commit = heads.get(branch);
    if (commit === undefined) return missing(branch, new Set(heads.keys()));
    return { commit, subject: undefined, isDirty: false, unpushed: 0, remote: undefined };
  });
}

/** Commits by branch. */
async function headsOf(
  url: string,
  args: readonly string[],
  { environment, credentials = () => ({}) }: TipOptions,
  repo: string,
): Promise<ReadonlyMap<string, string> | Problem> {
  const answer = await git(args, environment, remoteSeconds, credentials(url, repo));
  if (answer.code !== 0) return unanswered(url, answer);
  const lines = answer.stdout.split("\n").map((line) => /^([0-9a-f]{40})\trefs\/heads\/(.+)$/.exec(line));
  return new Map(lines.flatMap((line) => (line?.[1] && line[2] ? [[line[2], line[1]] as const] : [])));
}

function unanswered(url: string, { code, stderr, isLate }: GitAnswer): Problem {
  if (code === undefined && !isLate) return unreadable(url, { code, stderr, isLate, stdout: "" });
  const why = isLate ? `no answer within ${remoteSeconds} s` : remoteReason(stderr);
  return {
    message: `${shownRepo(url)} can't be asked for its commits: ${why}`,
    remedy: `check: git ls-remote ${quoted(shownRepo(url))}`,
  };
}

interface Ref {
  readonly commit: string;
  readonly isCheckedOut: boolean;
  readonly subject: string;
}

async function localTips(repo: string, names: ReadonlySet<string>, options: TipOptions): Promise<Tips> {
  const { environment } = options;
  const inRepo = (...args: string[]) => git(["-C", repo, ...args], environment, localSeconds);
  const scopes = [...names].flatMap((name) => [`refs/heads/${name}`, `refs/remotes/*/${name}`]);
  const format = "%(objectname) %(refname) %(HEAD)%(contents:subject)";
  const [listed, status] = await Promise.all([
    inRepo("for-each-ref", `--format=${format}`, ...scopes),
    inRepo("status", "--porcelain"),
  ]);
  if (listed.code !== 0) return mapped(names, () => unreadable(repo, listed));
  const refs = new Map<string, Ref>();
  for (const line of listed.stdout.split("\n")) {
    const [, commit, name, head, subject] = /^([0-9a-f]{40}) (\S+) ([* ])(.*)$/.exec(line) ?? [];
    if (commit !== undefined && name !== undefined)
      refs.set(name, { commit, isCheckedOut: head === "*", subject: subject ?? "" });
  }
  // A bare repository has no status.
  const isDirty = status.code === 0 && status.stdout !== "";
  const asked = new Map<string, Promise<ReadonlyMap<string, string> | Problem>>();
  const tips = new Map<string, Tip | Problem>();
  await inParallel(names, 8, async (branch) => {
    const remote = await remoteOf({ repo, branch }, environment);
    const name = "message" in remote ? undefined : remote.name;
    const ref = refs.get(`refs/heads/${branch}`) ?? refs.get(`refs/remotes/${name}/${branch}`);
    if (ref === undefined) {
      tips.set(branch, missing(branch, new Set()));
      return;
    }
    tips.set(branch, {
      commit: ref.commit,
      subject: ref.subject.slice(0, longestSubject),
      isDirty: ref.isCheckedOut && isDirty,
      unpushed: await unpushed(ref.commit, branch, "message" in remote ? undefined : remote),
      remote: name,
    });
  });
  return tips;

  async function unpushed(
    commit: string,
    branch: string,
    remote: { url: string; name: string | undefined } | undefined,
  ) {
    if (remote?.name === undefined) return undefined;
    const { name, url } = remote;
    const seen = [`--remotes=${name}`];
    if (!options.checkRemotes) return count(commit, seen);
    const ask = asked.get(name) ?? headsOf(url, ["-C", repo, "ls-remote", "--heads", "--", name], options, repo);
    asked.set(name, ask);
    const heads = await ask;
    if ("message" in heads) return undefined;
    if ([...heads.values()].includes(commit)) return 0;
    // Commits that were pushed since the last fetch are unknown here, and may well contain the commit.
    const now = heads.get(branch);
    const hasMoved = now !== undefined && now !== refs.get(`refs/remotes/${name}/${branch}`)?.commit;
    return count(commit, hasMoved ? [...seen, now] : [...heads.values()]);
  }

  async function count(commit: string, without: readonly string[]): Promise<number | undefined> {
    const answer = await inRepo("rev-list", "--count", "--ignore-missing", commit, "--not", ...without);
    return answer.code === 0 ? Number(answer.stdout) : undefined;
  }
}

function missing(branch: string, branches: ReadonlySet<string>): Problem {
  const problem = branches.size === 0 ? undefined : branchProblem(branch, branches);
  return (
    problem ?? { message: `the repository has no branch "${branch}"`, remedy: "create the branch, or name another" }
  );
}

function mapped<Value>(names: ReadonlySet<string>, of: (name: string) => Value): ReadonlyMap<string, Value> {
  return new Map([...names].map((name) => [name, of(name)]));
}

/** Why a tip must not or should not be pinned. Errors prevent the pin; warnings don't. */
export function pinProblems(
  { repo, branch }: Branch,
  tip: Tip,
  { allowUnpushed }: { readonly allowUnpushed: boolean },
): (Problem & { readonly severity: "error" | "warning" })[] {
  const allow = "or write allow_unpushed = true";
  const found: (Problem & { severity: "error" | "warning" })[] = [];
  if (tip.isDirty) {
    const message = `${repo} has uncommitted changes, and the pinned tarball contains only commits`;
    const remedy = `commit them, or stash them: git -C ${quoted(repo)} stash --include-untracked`;
    found.push({
      message,
      remedy: allowUnpushed ? remedy : `${remedy}; ${allow}`,
      severity: allowUnpushed ? "warning" : "error",
    });
  }
  if (allowUnpushed || tip.unpushed === 0) return found;
  const push = `git -C ${quoted(repo)} push ${quoted(tip.remote ?? "origin")} ${quoted(branch)}`;
  if (tip.unpushed === undefined) {
    const message = `it is unknown whether the remote of ${repo} has the tip of ${branch}`;
    return [...found, { message, remedy: `check: ${push}`, severity: "warning" }];
  }
  const many = tip.unpushed === 1 ? "a commit" : `${tip.unpushed} commits`;
  const message = `${branch} of ${repo} has ${many} that ${tip.remote ?? "the remote"} does not have`;
  return [...found, { message, remedy: `push: ${push}; ${allow}`, severity: "error" }];
}

/**
 * How many commits a branch gained between two pinned commits.
 *
 * @returns undefined if unknown: for a URL, or if the repository no longer has one of them
 */
export async function commitsBetween(
  { repo, from, to }: { readonly repo: string; readonly from: string; readonly to: string },
  environment: Environment,
): Promise<number | undefined> {
  if (isRepoUrl(repo)) return undefined;
  const { code, stdout } = await git(["-C", repo, "rev-list", "--count", to, "--not", from], environment, localSeconds);
  return code === 0 ? Number(stdout) : undefined;
}
