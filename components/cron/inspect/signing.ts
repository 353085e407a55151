import { GitError, gitIn } from "../../git/git.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { shellCommand } from "../../lib/shell-command.ts";
import { mngrEnvironment } from "../../mngr/profile.ts";
import { type Check, warning } from "../../stack/check.ts";
import type { DeclaredCron } from "../declared.ts";

/** Checks for repositories with signed commits: an agent's commit fails if a person has to unlock the key. */
export async function signingChecks(fleet: { readonly changelings: readonly DeclaredCron[] }): Promise<Check[]> {
  const local = fleet.changelings.filter(({ provider, repo }) => provider === "local" && !isRepoUrl(repo));
  const repos = [...Map.groupBy(local, ({ repo }) => repo)];
  const checks = repos.map(async ([repo, own]) => {
    if (!(await signs(repo))) return [];
    const names = own.map(({ name }) => name).join(", ");
    const detail = `git signs commits there (commit.gpgsign), also those of ${names}. They may fail, because nobody unlocks the key`;
    return [
      warning(
        `commits in ${repo}`,
        detail,
        `if they fail, run: ${shellCommand(["git", "-C", repo, "config", "commit.gpgsign", "false"])}`,
      ),
    ];
  });
  return (await Promise.all(checks)).flat();
}

async function signs(repo: string): Promise<boolean> {
  try {
    const git = gitIn(repo, mngrEnvironment(process.env));
    const printed = await git.run(["config", "--show-scope", "--type=bool", "--get-all", "commit.gpgsign"]);
    // Options that we pass to git on the command line do not apply to the agents' git.
    const values = printed.split("\n").filter((line) => line !== "" && !line.startsWith("command\t"));
    return values.at(-1)?.endsWith("\ttrue") === true;
  } catch (error) {
    // It is not set, or there is no such repository, which other checks report.
    if (error instanceof GitError) return false;
    throw error;
  }
}
