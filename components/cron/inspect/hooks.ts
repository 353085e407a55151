import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { GitError, gitIn } from "../../git/git.ts";
import { gitReason } from "../../git/reason.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import { runProgram, timedOut } from "../../lib/process.ts";
import { mngrEnvironment } from "../../mngr/profile.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import type { DeclaredCron } from "../declared.ts";

/** Long enough for a hook that installs something. In a run, it has ten minutes. */
const trialSeconds = 120;

/**
 * Checks the post-checkout hooks of the fleet's repositories on this machine. git runs them when it creates a run's
 * worktree, and if one fails, no run starts.
 *
 * @param deep whether to try each hook, in a worktree in a temporary folder
 */
export async function hookChecks(
  fleet: { readonly changelings: readonly DeclaredCron[] },
  { deep }: { readonly deep: boolean },
): Promise<Check[]> {
  const local = fleet.changelings.filter(({ provider, repo }) => provider === "local" && !isRepoUrl(repo));
  const checks = [...Map.groupBy(local, ({ repo }) => repo)].map(async ([repo, own]): Promise<Check[]> => {
    const hook = await postCheckoutHook(repo);
    if (hook === undefined) return [];
    const what = `hook of ${repo}`;
    const names = own.map(({ name }) => name).join(", ");
    const consequence = `no run of ${names} would start: its post-checkout hook`;
    const missing = missingProgram(hook, process.env["PATH"] ?? "");
    if (missing !== undefined)
      return [warning(what, `${consequence} needs ${missing}, which is not installed`, `see ${hook}`)];
    if (!deep) {
      return [
        ok(what, `post-checkout runs at the start of each run; try it with: ${changelingCommand()} doctor --deep`),
      ];
    }
    const [first] = own;
    const reason = first && (await trial(repo, first.branch));
    if (reason === undefined) return [ok(what, "post-checkout runs at the start of each run, and works")];
    return [failed(what, `${consequence} fails in a new worktree: ${reason}`, `see ${hook}`)];
  });
  return (await Promise.all(checks)).flat();
}

/** The hook's path; undefined if git runs none. */
async function postCheckoutHook(repo: string): Promise<string | undefined> {
  const git = gitIn(repo, mngrEnvironment(process.env));
  try {
    const folder = (await hooksPath(git)) ?? join((await git.run(["rev-parse", "--git-common-dir"])).trim(), "hooks");
    const hook = resolve(repo, folder, "post-checkout");
    accessSync(hook, constants.X_OK);
    return hook;
  } catch {
    // There is no executable hook, or no such repository, which other checks report.
    return undefined;
  }
}

async function hooksPath(git: ReturnType<typeof gitIn>): Promise<string | undefined> {
  try {
    const printed = await git.run(["config", "--show-scope", "--type=path", "--get-all", "core.hooksPath"]);
    // Options that we pass to git on the command line do not apply to the agents' git.
    const values = printed.split("\n").filter((line) => line !== "" && !line.startsWith("command\t"));
    return values.at(-1)?.replace(/^\w+\t/, "");
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
}

/** The missing program that a hook needs, as far as its text shows; undefined if none. */
export function missingProgram(hook: string, path: string): string | undefined {
  const text = readFileSync(hook, "latin1");
  const isThere = (program: string) =>
    program.startsWith("/")
      ? existsSync(program)
      : path.split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
  const [, interpreter = "", argument] = /^#!\s*(\S+)(?:[ \t]+(\S+))?/.exec(text) ?? [];
  const runs = /\/env$/.test(interpreter) && argument !== undefined && !argument.startsWith("-") ? argument : undefined;
  const programs = [interpreter, runs ?? "", /^[^#\n]*\bgit[ -]lfs\b/m.test(text) ? "git-lfs" : ""];
  return programs.find((program) => program !== "" && !isThere(program));
}

/** Creates a worktree as a run does, and removes it. @returns why git failed; undefined if it succeeded */
async function trial(repo: string, branch: string): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-hook-"));
  const tree = join(folder, "tree");
  const git = (...args: string[]) =>
    runProgram("git", ["-C", repo, "worktree", ...args], {
      env: mngrEnvironment(process.env),
      timeoutSeconds: trialSeconds,
    });
  try {
    const { code, stderr } = await git("add", "--quiet", "--detach", tree, branch);
    if (code === 0) return undefined;
    return (
      gitReason(stderr) ?? (code === timedOut ? `it did not finish within ${trialSeconds} s` : `exit status ${code}`)
    );
  } finally {
    await git("remove", "--force", tree);
    rmSync(folder, { recursive: true, force: true });
    await git("prune");
  }
}
