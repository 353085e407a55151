import { type Fleet, isRepoUrl } from "../../components/fleet/index.ts";
import { mngrEnvironment } from "../../components/mngr/environment.ts";
import { GitError, gitIn } from "../../components/source/git.ts";
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
    return [warning(`commits in ${repo}`, detail, `if they do: git -C '${repo}' config commit.gpgsign false`)];
  });
  return (await Promise.all(checks)).flat();
}

async function signs(repo: string): Promise<boolean> {
  try {
    const git = gitIn(repo, mngrEnvironment(process.env));
    return (await git.run(["config", "--type=bool", "--get", "commit.gpgsign"])).trim() === "true";
  } catch (error) {
    // It is not set; or there is no such repository, which other checks say.
    if (error instanceof GitError) return false;
    throw error;
  }
}
