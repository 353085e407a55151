import { createHash } from "node:crypto";
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { hostCredentials } from "../../../git/credentials.ts";
import { GitError, gitIn } from "../../../git/git.ts";
import { ensureFolder } from "../../../host/files.ts";
import type { InstallationPaths } from "../../../host/installation-paths.ts";
import { type Followed, fetchBase, followedBy } from "./fetch-base.ts";
import { type Base, baseOf, namedBases } from "./git.ts";

/**
 * The folder of a run's repository: a declared path is used in place, a URL gets its own clone.
 * @returns an absolute path
 */
export function repositoryFolder(paths: InstallationPaths, repo: string): string {
  if (isAbsolute(repo)) return repo;
  return join(paths.repos, createHash("sha256").update(repo).digest("hex").slice(0, 16));
}

const updates = new Map<string, Promise<unknown>>();

/** Serializes work per repository, because two runs must not clone or fetch it concurrently. */
function inTurn<Value>(folder: string, work: () => Promise<Value>): Promise<Value> {
  const before = updates.get(folder) ?? Promise.resolve();
  const update = before.catch(() => undefined).then(work);
  updates.set(folder, update);
  return update;
}

export interface Prepared {
  readonly folder: string;
  /** The ref that new branches start from. */
  readonly base: Base;
  /** For people, in words. */
  readonly warnings: readonly string[];
}

export interface Declared {
  readonly repo: string;
  readonly branch: string;
  /** False: a repository declared by its path is used as it is. */
  readonly fetch?: boolean | undefined;
}

/** Time limits for fetching into a declared path, before and after a run. */
const fetchSeconds = { before: 120, after: 30 };

/**
 * Prepares a repository. One declared by URL is cloned or fetched; if that fails, the run fails. For one declared by
 * its path, the base branch is fetched, and a run starts from the remote's branch if the local one is only behind. If
 * that fetch fails, the run starts from the local state, with a warning.
 *
 * @param token passed to git only through an askpass helper's environment, and only for the repository's own host
 * @throws GitError
 */
export async function prepareRepository(
  paths: InstallationPaths,
  declared: Declared,
  env: Readonly<Record<string, string>>,
  token: string | undefined,
): Promise<Prepared> {
  const { repo, branch } = declared;
  const folder = repositoryFolder(paths, repo);
  const git = gitIn(folder, env);
  if (isAbsolute(repo)) {
    if (!existsSync(folder)) throw new GitError(`the repository ${folder} does not exist`);
    const followed = declared.fetch === false ? undefined : await followedBy(git, branch);
    const failure = await fetchFollowed(folder, followed, env, { token, timeoutSeconds: fetchSeconds.before });
    const { base, warning } = await baseOf(git, branch, followed?.ref);
    return { folder, base, warnings: [failure, warning].filter((each) => each !== undefined) };
  }
  const gitEnv = { ...env, ...hostCredentials(repo, token) };
  await inTurn(folder, () => cloneOrFetch(paths, repo, folder, gitEnv));
  const ref = `refs/remotes/origin/${branch}`;
  const [found] = await namedBases(git, [ref]);
  if (found === undefined) throw new GitError(`${repo} has no branch "${branch}"`);
  return { folder, base: found.base, warnings: [] };
}

/** Updates the base branch at the end of a run; if it can't be fetched, it stays as it was. */
export async function refreshBase(
  paths: InstallationPaths,
  { repo, branch, fetch }: Declared,
  env: Readonly<Record<string, string>>,
  token: string | undefined,
): Promise<void> {
  const folder = repositoryFolder(paths, repo);
  if (fetch === false) return;
  const followed = await followedBy(gitIn(folder, env), branch);
  await fetchFollowed(folder, followed, env, { token, timeoutSeconds: fetchSeconds.after });
}

async function fetchFollowed(
  folder: string,
  followed: Followed | undefined,
  env: Readonly<Record<string, string>>,
  how: Parameters<typeof fetchBase>[3],
): Promise<string | undefined> {
  return followed && inTurn(folder, () => fetchBase(folder, followed, env, how));
}

async function cloneOrFetch(
  paths: InstallationPaths,
  url: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  if (existsSync(folder)) {
    await gitIn(folder, env).run(["fetch", "--quiet", "--prune", "origin"], "network");
    return;
  }
  ensureFolder(paths.repos);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  // A plain `git push` could push a branch that has its base as upstream onto that base.
  const args = ["clone", "--quiet", "--no-checkout", "-c", "branch.autoSetupMerge=false", "--", url, unfinished];
  await gitIn(paths.repos, env).run(args, "network");
  chmodSync(unfinished, 0o700);
  renameSync(unfinished, folder);
}
