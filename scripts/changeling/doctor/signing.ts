import { GitError, gitIn } from "../../../components/git/git.ts";
import { isRepoUrl } from "../../../components/git/repo-name.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { shellCommand } from "../../../components/lib/shell-command.ts";
import { mngrEnvironment } from "../../../components/mngr/profile.ts";
import { type Check, warning } from "./check.ts";

/** Checks for repositories with signed commits: an agent's commit fails if a person has to unlock the key. */
export async function signingChecks(fleet: Pick<Fleet, "changelings"> | undefined): Promise<Check[]> {
  const local = (fleet?.changelings ?? []).flatMap((each) =>
    each.kind === "cron" && each.provider === "local" && !isRepoUrl(each.repo) ? [each] : [],
  );
  const repos = [...Map.groupBy(local, ({ repo }) => repo)];
  const checks = repos.map(async ([repo, own]) => {
    if (!(await signs(repo))) return [];
    const names = own.map(({ name }) => name).join(", ");
    const detail = `git signs commits there (commit.gpgsign), also those of ${names}: without a person to unlock the key they may fail`;
    return [
      warning(
        `commits in ${repo}`,
        detail,
        `if they do: ${shellCommand(["git", "-C", repo, "config", "commit.gpgsign", "false"])}`,
      ),
    ];
  });
  return (await Promise.all(checks)).flat();
}

async function signs(repo: string): Promise<boolean> {
  try {
    const git = gitIn(repo, mngrEnvironment(process.env));
    const said = await git.run(["config", "--show-scope", "--type=bool", "--get-all", "commit.gpgsign"]);
    // Options that we pass to git on the command line do not apply to the agents' git.
    const values = said.split("\n").filter((line) => line !== "" && !line.startsWith("command\t"));
    return values.at(-1)?.endsWith("\ttrue") === true;
  } catch (error) {
    // It is not set, or there is no such repository, which other checks report.
    if (error instanceof GitError) return false;
    throw error;
  }
}
