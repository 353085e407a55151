import { appendFileSync, chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { gitCredentials } from "../../git/credentials.ts";
import { type Git, gitIn, identityOf, objectIds } from "../../git/git.ts";
import { shownRepo } from "../../git/repo-name.ts";
import { type Setting, setSettings, settingsIn } from "../../git/settings.ts";
import { settingsFile as gitSettings } from "../../git/settings-file.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { agentSettings } from "../agent/settings.ts";
import type { WebSpec } from "../agent/spec.ts";
import { type DeclaredFrom, declaredCommit, declaredRef } from "./declared-commit.ts";
import { type Merged, type MergeOptions, MergeRefused, mergeInto } from "./merge.ts";
import { settingsFile } from "./repo-files.ts";

export interface RepoOptions extends Omit<MergeOptions, "accept" | "head" | "isNew"> {
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
  if (existsSync(repo)) return merged(repo, spec, options, false);
  const unfinished = `${repo}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(dirname(repo), { recursive: true, mode: 0o700 });
  mkdirSync(unfinished, { mode: 0o700 });
  await gitIn(unfinished, options.env).run(["init", "--quiet", `--initial-branch=${spec.branch}`]);
  const first = await merged(unfinished, spec, options, true);
  chmodSync(unfinished, 0o700);
  renameSync(unfinished, repo);
  return first;
}

/** @param isNew whether the repo was just created here */
async function merged(repo: string, spec: WebSpec, options: RepoOptions, isNew: boolean): Promise<Merged> {
  const git = gitIn(repo, options.env);
  const origin =
    spec.source === undefined ? undefined : { url: spec.source, fetch: "+refs/heads/*:refs/remotes/origin/*" };
  const names = Object.keys(origin ?? {}).map((name) => `remote.origin.${name}`);
  const found = await settingsIn(git, ["user.email", ...names]);
  const env = { ...options.env, ...(found.some(({ name }) => name === "user.email") ? {} : identityOf(spec.name)) };
  if (origin !== undefined) await setOrigin(repo, git, origin, found, isNew);
  const { head, ...from } = await fetched(git, repo, spec, options, isNew);
  const declared = await declaredCommit(repo, spec, from, env);
  if (spec.settings !== undefined) await refuseTrackedSettings(git, spec.name, declared);
  const accept = async (commit: string) => void (await agentSettings(git, commit, spec));
  return mergeInto(repo, declared, { ...options, env, head, isNew, accept });
}

async function setOrigin(
  repo: string,
  git: Git,
  origin: Readonly<Record<"url" | "fetch", string>>,
  found: readonly Setting[],
  isNew: boolean,
): Promise<void> {
  const isSet = found.some(({ name }) => name.startsWith("remote.origin."));
  // Each `git config` is a process.
  if (isNew && !isSet)
    appendFileSync(join(repo, ".git", "config"), gitSettings([{ section: "remote", of: "origin", values: origin }]));
  else await setSettings(git, { "remote.origin.url": origin.url, "remote.origin.fetch": origin.fetch }, found);
}

/** The commits of a repo that its declaration is merged into. */
interface Observed extends DeclaredFrom {
  /** The agent's commit; undefined if there is none. */
  readonly head: string | undefined;
}

const nothing: Observed = { head: undefined, tip: undefined, last: undefined, lastTree: undefined };

/** Fetches the source's commit to deploy, unless the repo has it. */
async function fetched(
  git: Git,
  repo: string,
  spec: WebSpec,
  { env, token }: RepoOptions,
  isNew: boolean,
): Promise<Observed> {
  const { source, branch, commit } = spec;
  if (source === undefined) return isNew ? nothing : await observed(git, undefined);
  const remoteBranch = `refs/remotes/origin/${branch}`;
  const before = isNew || commit === undefined ? nothing : await observed(git, commit);
  if (before.tip !== undefined) return before;
  const network = gitIn(repo, { ...env, ...gitCredentials(source, token) });
  const fetch = ["fetch", "--quiet", "--no-auto-maintenance", "origin", `+refs/heads/${branch}:${remoteBranch}`];
  await network.run(fetch, "network");
  const after = await observed(git, commit ?? remoteBranch);
  if (after.tip !== undefined) return after;
  throw new Error(
    `${shownRepo(source)} no longer has commit ${commit}, because its branch ${branch} was rewritten; run again: ${upCommand()}`,
  );
}

async function observed(git: Git, tip: string | undefined): Promise<Observed> {
  const commits = ["HEAD", declaredRef, ...(tip === undefined ? [] : [tip])].map((name) => `${name}^{commit}`);
  const [lastTree, head, last, found] = await objectIds(git, [`${declaredRef}^{tree}`, ...commits]);
  return { head, last, lastTree, tip: found };
}

async function refuseTrackedSettings(git: Git, name: string, declared: string): Promise<void> {
  const listed = await git.run(["ls-tree", "--name-only", declared, "--", settingsFile]);
  if (listed.trim() === "") return;
  throw new MergeRefused(
    `the source of ${name} already contains ${settingsFile}; remove it there, or remove settings from the fleet file`,
  );
}
