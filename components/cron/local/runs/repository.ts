import { createHash } from "node:crypto";
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { ensureFolder } from "../../../files.ts";
import type { InstallationPaths } from "../../../installation-paths.ts";
import { gitCredentials } from "../../../source/credentials.ts";
import { GitError, gitIn } from "../../../source/git.ts";
import { type Base, baseOf, namedBase } from "./git.ts";

/**
 * Where the repository of a run is: a declared path is used in place, a URL has a clone of its own.
 * @returns an absolute path
 */
export function repositoryFolder(paths: InstallationPaths, repo: string): string {
  if (isAbsolute(repo)) return repo;
  return join(paths.repos, createHash("sha256").update(repo).digest("hex").slice(0, 16));
}

const updating = new Map<string, Promise<void>>();

/**
 * Makes a repository ready: one that is declared by URL is cloned, or fetched.
 *
 * @param token for GitHub; it goes to git by an askpass helper's environment alone, and to github.com alone
 * @returns what new branches start from
 * @throws GitError
 */
export async function prepareRepository(
  paths: InstallationPaths,
  { repo, branch }: { repo: string; branch: string },
  env: Readonly<Record<string, string>>,
  token: string | undefined,
): Promise<{ folder: string; base: Base }> {
  const folder = repositoryFolder(paths, repo);
  if (isAbsolute(repo)) {
    if (!existsSync(folder)) throw new GitError(`the repository ${folder} is not there`);
    return { folder, base: await baseOf(gitIn(folder, env), branch) };
  }
  const gitEnv = { ...env, ...gitCredentials(repo, token) };
  // Two runs of one repository must not clone it at the same time.
  const before = updating.get(folder) ?? Promise.resolve();
  const update = before.catch(() => undefined).then(() => cloneOrFetch(paths, repo, folder, gitEnv));
  updating.set(folder, update);
  await update;
  const git = gitIn(folder, env);
  const ref = `refs/remotes/origin/${branch}`;
  await git.run(["show-ref", "--verify", "--quiet", ref]).catch(() => {
    throw new GitError(`${repo} has no branch "${branch}"`);
  });
  return { folder, base: await namedBase(git, ref) };
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
  // A branch that follows its base could be pushed onto it by a plain `git push`.
  const args = ["clone", "--quiet", "--no-checkout", "-c", "branch.autoSetupMerge=false", "--", url, unfinished];
  await gitIn(paths.repos, env).run(args, "network");
  chmodSync(unfinished, 0o700);
  renameSync(unfinished, folder);
}
