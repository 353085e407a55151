import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gitCredentials } from "../../git/credentials.ts";
import { GitError, gitIn, succeeds } from "../../git/git.ts";
import { shownRepo } from "../../git/repo-name.ts";
import { setSettings, settingsIn } from "../../git/settings.ts";
import { readTextIfAny } from "../../host/files.ts";
import type { WebSpec } from "../agent/spec.ts";

const ourHook = fileURLToPath(new URL("./post-commit.sh", import.meta.url));
const sign = "written by `pulumi up`";
/** The remote's name in the agent's repo. */
const remoteName = "changelings";

export interface PushOptions {
  readonly env: Readonly<Record<string, string>>;
  /** For github.com. */
  readonly token: string | undefined;
  readonly warn: (message: string) => void;
}

/**
 * Sets up that the agent's commits are pushed to the declared remote as they are made, and pushes existing ones. Without a
 * declared remote, this undoes the setup.
 */
export async function linkRemote(repo: string, { name, remote }: WebSpec, options: PushOptions): Promise<void> {
  const { env, token, warn } = options;
  const git = gitIn(repo, env);
  const hook = join(repo, ".git", "hooks", "post-commit");
  const found = readTextIfAny(hook);
  const isOurs = found?.includes(sign) ?? false;
  if (remote === undefined) {
    if (isOurs) rmSync(hook);
    // Most repos never had the remote; its name is in this file if they did.
    const mayExist = readTextIfAny(join(repo, ".git", "config"))?.includes(remoteName) ?? false;
    if (mayExist && (await succeeds(git, ["config", `remote.${remoteName}.url`])))
      await git.run(["remote", "remove", remoteName]);
    return;
  }
  const branch = `changelings/${name}`;
  const wanted = { [`remote.${remoteName}.url`]: remote, "changelings.branch": branch };
  await setSettings(git, wanted, await settingsIn(git, Object.keys(wanted)));
  if (found === undefined || isOurs) {
    mkdirSync(dirname(hook), { recursive: true });
    copyFileSync(ourHook, hook);
    chmodSync(hook, 0o700);
  } else {
    warn(`${hook} already exists, so the agent's commits are only pushed by \`pulumi up\``);
  }
  try {
    const network = gitIn(repo, { ...env, ...gitCredentials(remote, token) });
    await network.run(["push", "--quiet", remoteName, `HEAD:refs/heads/${branch}`], "network");
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    warn(`the commits of ${name} could not be pushed to ${shownRepo(remote)}: ${error.message}`);
  }
}
