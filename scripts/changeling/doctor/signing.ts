import { GitError, gitIn } from "../../../components/git/git.ts";
import { isRepoUrl } from "../../../components/git/repo-name.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { shellCommand } from "../../../components/lib/shell-command.ts";
import { mngrEnvironment } from "../../../components/mngr/profile.ts";
import { type Check, warning } from "./check.ts";

/** Repositories whose commits git signs: an agent's commit fails where a key has to be unlocked by a person. */
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
    // What every git of ours is told on its command line holds for none of an agent's.
    const values = said.split("\n").filter((line) => line !== "" && !line.startsWith("command\t"));
    return values.at(-1)?.endsWith("\ttrue") === true;
  } catch (error) {
    // It is not set; or there is no such repository, which other checks say.
    if (error instanceof GitError) return false;
    throw error;
  }
}
