import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { gitCredentials } from "../../git/credentials.ts";
import { commitOf, fallbackIdentity, type Git, gitIn } from "../../git/git.ts";
import { shownRepo } from "../../git/repo-name.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { agentSettings } from "../agent/settings.ts";
import type { WebSpec } from "../agent/spec.ts";
import { declaredCommit } from "./declared-commit.ts";
import { type Merged, type MergeOptions, MergeRefused, mergeInto } from "./merge.ts";
import { settingsFile } from "./repo-files.ts";

export interface RepoOptions extends Omit<MergeOptions, "accept"> {
  /** For github.com; passed only through git's environment. */
  readonly token: string | undefined;
}

/**
 * Creates the repo of a web changeling, or merges the declared state into the agent's repo.
 *
 * @param repo absolute path
 * @throws GitError, MergeRefused, or an error if the repo has agent settings that are not accepted; the agent's branch
 * is unchanged then
 */
export async function prepareRepo(repo: string, spec: WebSpec, options: RepoOptions): Promise<Merged> {
  if (existsSync(repo)) return merged(repo, spec, options);
  const unfinished = `${repo}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(dirname(repo), { recursive: true, mode: 0o700 });
  mkdirSync(unfinished, { mode: 0o700 });
  await gitIn(unfinished, options.env).run(["init", "--quiet", `--initial-branch=${spec.branch}`]);
  const first = await merged(unfinished, spec, options);
  chmodSync(unfinished, 0o700);
  renameSync(unfinished, repo);
  return first;
}

async function merged(repo: string, spec: WebSpec, options: RepoOptions): Promise<Merged> {
  const git = gitIn(repo, options.env);
  const env = { ...options.env, ...(await fallbackIdentity(git, spec.name)) };
  const tip = spec.source === undefined ? undefined : await fetched(git, repo, spec, spec.source, options);
  const declared = await declaredCommit(repo, spec, tip, env);
  if (spec.settings !== undefined) await refuseTrackedSettings(git, spec.name, declared);
  const accept = async (commit: string) => void (await agentSettings(git, commit, spec));
  return mergeInto(repo, declared, { ...options, env, accept });
}

/** @returns the source's commit to deploy */
async function fetched(
  git: Git,
  repo: string,
  { branch, commit }: WebSpec,
  source: string,
  { env, token }: RepoOptions,
): Promise<string> {
  const remoteBranch = `refs/remotes/origin/${branch}`;
  await git.run(["config", "remote.origin.url", source]);
  await git.run(["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
  if (commit !== undefined && (await commitOf(git, commit)) !== undefined) return commit;
  const network = gitIn(repo, { ...env, ...gitCredentials(source, token) });
  await network.run(["fetch", "--quiet", "origin", `+refs/heads/${branch}:${remoteBranch}`], "network");
  const tip = await commitOf(git, commit ?? remoteBranch);
  if (tip !== undefined) return tip;
  throw new Error(
    `${shownRepo(source)} no longer has commit ${commit}, because its branch ${branch} was rewritten; run again: ${upCommand()}`,
  );
}

async function refuseTrackedSettings(git: Git, name: string, declared: string): Promise<void> {
  const listed = await git.run(["ls-tree", "--name-only", declared, "--", settingsFile]);
  if (listed.trim() === "") return;
  throw new MergeRefused(
    `the source of ${name} already contains ${settingsFile}; remove it there, or remove settings from the fleet file`,
  );
}
