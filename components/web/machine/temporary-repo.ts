import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Git, gitIn } from "../../git/git.ts";
import type { SshAccess } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import { adoptRepo, emptyRepo, isolated } from "./adopt-repo.ts";
import { type MachineWeb, repoFolder } from "./machine-web.ts";

const gitSsh = fileURLToPath(new URL("./git-ssh.sh", import.meta.url));

/** Every ref of the agent's repo except replacements, which would hide its commits. */
const everything = ["+refs/*:refs/*", "^refs/replace/*"];

/** mngr sends only branches and tags to a new machine. */
const uncommittedBranch = "changelings/uncommitted";

/** Provides a temporary local folder for the repo of a remote agent, and deletes it afterwards, even on failure. */
export async function withTemporaryRepo<Result>(use: (repo: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-web-"));
  try {
    return await use(join(folder, "repo"));
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Fetches the agent's repo from its running machine into the temporary repo. */
export async function fetchRepo(repo: string, { branch }: WebSpec, ssh: SshAccess, { env }: MachineWeb): Promise<void> {
  const git = await emptyRepo(repo, env);
  // FETCH_HEAD is the first of these.
  const refs = ["HEAD", ...everything];
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", remoteOf(ssh), ...refs];
  await gitOver(repo, ssh, isolated(env)).run(fetch, "network");
  await git.run(["checkout", "--quiet", "-B", branch, "FETCH_HEAD"]);
}

/**
 * Copies the agent's repo from its volume, which outlived the machine, into the temporary repo. Uncommitted changes
 * become a commit of their own, because the next machine starts from commits.
 *
 * @returns whether the volume holds a repo
 */
export async function downloadRepo(repo: string, spec: WebSpec, record: WebRecord, web: MachineWeb): Promise<boolean> {
  const { machines, env, log } = web;
  const taken = `${repo}.taken`;
  if (!(await machines.downloadRepo(record.repo, taken))) return false;
  const { head, uncommitted } = await adoptRepo(taken, repo, { env, branch: spec.branch, name: spec.name });
  rmSync(taken, { recursive: true, force: true });
  if (head === undefined) rmSync(repo, { recursive: true, force: true });
  if (uncommitted !== undefined) {
    await gitIn(repo, env).run(["branch", "--force", uncommittedBranch, uncommitted]);
    log(
      `the uncommitted changes of the agent of ${spec.name} are kept in its repo; apply them with: git stash apply ${uncommittedBranch}`,
    );
  }
  return head !== undefined;
}

/**
 * The source is fetched with the user's settings, but LFS objects named in an agent's files are not downloaded here.
 */
export function withoutLfs(env: Readonly<Record<string, string>>): Record<string, string> {
  return { ...env, GIT_LFS_SKIP_SMUDGE: "1" };
}

/** Sends the commits that were declared and merged here, without moving any of the agent's branches. */
export async function sendCommits(
  repo: string,
  merged: string | undefined,
  ssh: SshAccess,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const shared = ["+refs/changelings/*:refs/changelings/*", "+refs/remotes/origin/*:refs/remotes/origin/*"];
  const refs = [...(merged === undefined ? [] : [`+${merged}:refs/changelings/incoming`]), ...shared];
  await gitOver(repo, ssh, env).run(["push", "--quiet", remoteOf(ssh), ...refs], "network");
}

function remoteOf({ user, host, port }: SshAccess): string {
  return `ssh://${user}@${host}:${port}${repoFolder}`;
}

function gitOver(repo: string, ssh: SshAccess, env: Readonly<Record<string, string>>): Git {
  return gitIn(repo, {
    ...env,
    GIT_SSH: gitSsh,
    GIT_SSH_VARIANT: "ssh",
    CHANGELINGS_SSH_KEY: ssh.key_path,
    CHANGELINGS_SSH_KNOWN_HOSTS: ssh.known_hosts_path ?? "/dev/null",
  });
}
