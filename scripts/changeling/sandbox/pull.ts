import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { branchExists, commitOf, type Git, GitError, gitIn } from "../../../components/git/git.ts";
import { isBranchName, isRepoUrl } from "../../../components/git/repo-name.ts";
import { allowedEnvironment } from "../../../components/lib/environment.ts";
import { readSandbox } from "../../../components/sandbox/installed.ts";
import { readSecrets } from "../../../components/secrets/installed.ts";
import { answer } from "../context.ts";
import { examples } from "../options.ts";
import { type Published, publish } from "./publish.ts";
import { personOption, type SandboxContext, sandboxContext, sessionOf } from "./session-of.ts";

interface PullOptions {
  readonly into?: string;
  readonly branch?: string;
  readonly force?: boolean;
  readonly push?: boolean;
  readonly pullRequest?: boolean;
  readonly title?: string;
}

export function addPull(sandbox: Command): void {
  sandbox
    .command("pull")
    .argument("<name>", "the changeling (its newest session), or a session's id")
    .option("--into <folder>", "your clone of the repository; by default the declared path, else this folder")
    .option("-b, --branch <branch>", "the branch to create; by default harvest/<changeling>-<session>")
    .option("-f, --force", "replace the branch, also if it has other commits")
    .option("--push", "push the branch to the remote origin too")
    .option("--pull-request", "push it, and open a pull request on GitHub with GITHUB_TOKEN")
    .option("--title <text>", "the pull request's title; by default the last commit's subject")
    .addOption(personOption())
    .description("fetch a session's commits into a branch of your repository; nothing of them is run or checked out")
    .addHelpText(
      "after",
      examples(
        "sandbox pull example",
        "sandbox pull example --into ~/src/app --branch fix-tests",
        "sandbox pull example --pull-request",
      ),
    )
    .action(async (name: string, options: PullOptions, command: Command) => {
      const context = sandboxContext(command);
      const session = await sessionOf(context, name);
      const folder = folderOf(context, session.changeling, options);
      const branch = options.branch ?? `harvest/${session.changeling}-${session.id.slice(0, 8)}`;
      if (!isBranchName(branch)) throw new Error(`${JSON.stringify(branch)} is not a valid branch name`);
      const bundle = await context.client.bundle(session.id);
      if (bundle === "") {
        answer(context, { branch: null, commits: 0 }, "the session has no commits yet; its changes: sandbox diff");
        return;
      }
      const pulled = await fetchBundle({ bundle, folder, branch, force: options.force === true });
      const publication: Partial<Published> =
        options.push === true || options.pullRequest === true
          ? await publish({
              ...{ folder, branch, force: options.force === true },
              token: githubToken(context, session.changeling),
              pullRequest:
                options.pullRequest === true
                  ? {
                      base: readSandbox(context.paths, session.changeling)?.spec.branch ?? "main",
                      title: options.title,
                      body: `Made by an agent in session ${session.id} of the sandbox ${session.changeling}.`,
                    }
                  : undefined,
            })
          : {};
      const text = `${pulled.commits} commit${pulled.commits === 1 ? "" : "s"} in ${folder} on branch ${branch}
show them with: git -C ${folder} log -p ${pulled.commit.slice(0, 12)} -${pulled.commits}`;
      const lines = [
        ...(publication.pushed === undefined ? [] : [`pushed to ${publication.pushed}`]),
        ...(publication.pullRequest === undefined ? [] : [`pull request: ${publication.pullRequest}`]),
      ];
      answer(context, { folder, branch, ...pulled, ...publication }, [text, ...lines].join("\n"));
    });
}

function folderOf({ paths }: SandboxContext, changeling: string, { into }: PullOptions): string {
  if (into !== undefined) return resolve(into);
  const url = readSandbox(paths, changeling)?.spec.url;
  return url === undefined || isRepoUrl(url) ? process.cwd() : url;
}

/** The token in the environment, or else the changeling's. */
function githubToken({ paths }: SandboxContext, changeling: string): string | undefined {
  return process.env["GITHUB_TOKEN"] || readSecrets(paths, changeling)["GITHUB_TOKEN"];
}

interface Fetch {
  /** In base64. */
  readonly bundle: string;
  readonly folder: string;
  readonly branch: string;
  readonly force: boolean;
}

/**
 * Fetches untrusted work: git checks every object of it, and checks nothing out.
 *
 * Before version 2.46, git does not check what it fetches from a bundle. So it is fetched through another repository, which
 * borrows the objects of this one.
 */
export async function fetchBundle({ bundle, folder, branch, force }: Fetch) {
  const temporary = mkdtempSync(join(tmpdir(), "changelings-pull-"));
  try {
    const [file, checked] = [join(temporary, "work.bundle"), join(temporary, "work.git")];
    writeFileSync(file, Buffer.from(bundle, "base64"), { mode: 0o600 });
    const env = allowedEnvironment(process.env);
    const git = gitIn(folder, env);
    const own = await git.run(["rev-parse", "--path-format=absolute", "--git-common-dir"]).catch(() => {
      throw new Error(`${folder} is not a git repository; name your clone of it: --into FOLDER`);
    });
    const before = await commitOf(git, `refs/heads/${branch}`);
    const exists = await branchExists(git, branch);
    try {
      await git.run(["clone", "--quiet", "--bare", "--shared", "--template=", "--", own.trimEnd(), checked]);
      await gitIn(checked, env).run(["fetch", "--quiet", "--no-tags", file, "+HEAD:refs/changelings/work"]);
      const refspec = `${force ? "+" : ""}refs/changelings/work:refs/heads/${branch}`;
      const how = ["--no-tags", "--no-write-fetch-head"];
      await git.run(["-c", "transfer.fsckObjects=true", "fetch", ...how, checked, refspec]);
    } catch (error) {
      throw explained(error, { branch, exists });
    }
    return {
      commit: (await commitOf(git, `refs/heads/${branch}`)) ?? "",
      commits: await count(git, branch, file, before),
    };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function count(git: Git, branch: string, file: string, before: string | undefined): Promise<number> {
  // The bundle lists the commits that it builds on, with a `-`.
  const listed = await git.run(["bundle", "verify", file]).catch(() => "");
  const bases = [...listed.matchAll(/^([0-9a-f]{40}) ?$/gm)].flatMap(([, commit]) => commit ?? []);
  const without = [...bases, ...(before === undefined ? [] : [before])].map((commit) => `^${commit}`);
  return Number(await git.run(["rev-list", "--count", `refs/heads/${branch}`, ...without]));
}

function explained(error: unknown, { branch, exists }: { readonly branch: string; readonly exists: boolean }): unknown {
  if (!(error instanceof GitError)) return error;
  if (/prerequisite commits/.test(error.stderr))
    return new Error("this repository lacks the commits that the session began with; fetch them first: git fetch");
  if (exists && /non-fast-forward|rejected/.test(error.stderr))
    return new Error(`branch ${branch} has other commits; replace them with --force, or name another with --branch`);
  return error;
}
