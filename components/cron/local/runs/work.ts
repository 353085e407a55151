import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { GitError } from "../../../git/git.ts";
import { safeGitEnvironment } from "../../../git/safe-git.ts";
import { runProgram } from "../../../lib/process.ts";
import type { Commit, HeldCommits } from "../../run-records.ts";

const script = join(dirname(fileURLToPath(import.meta.url)), "git-work.sh");
const timeoutSeconds = 120;

/** A run's work as git shows it; `git-work.sh` defines each field. */
export interface Work {
  readonly commits: readonly Commit[];
  /** Local branches that contain them. */
  readonly branches: readonly HeldCommits[];
  /** False if its commits change nothing: they are empty, or cancel each other out. */
  readonly isChanged: boolean;
  /** Files with uncommitted changes, as `git status` names them. */
  readonly uncommitted: readonly string[];
  /** What else happened to the repository, in words. */
  readonly warnings: readonly string[];
}

export const noWork: Work = { commits: [], branches: [], isChanged: false, uncommitted: [], warnings: [] };

type Environment = Readonly<Record<string, string>>;

/** The repository's refs before a run, for `workSince`. @throws GitError */
export function refsOf(folder: string, env: Environment): Promise<string> {
  return gitWork(["begin", folder], env);
}

/** What to examine, and where. */
export interface WorkScope {
  readonly folder: string;
  /** The file that contains the result of `refsOf`. */
  readonly start: string;
  /** The full ref that the run started from. */
  readonly base: string;
  /** The branch that was created for it, without `refs/heads/`. */
  readonly branch: string;
  /** The agent's worktree; undefined if it is gone. */
  readonly worktree: string | undefined;
  /** Whether others use the repository too. If not, every change in it is the agent's. */
  readonly isShared: boolean;
}

/** @throws GitError */
export async function workSince(scope: WorkScope, env: Environment): Promise<Work> {
  const { folder, start, base, branch, worktree = "", isShared } = scope;
  return parseWork(await gitWork(["end", folder, start, base, branch, ...(isShared ? [worktree] : [])], env));
}

async function gitWork(args: readonly string[], env: Environment): Promise<string> {
  const options = { env: safeGitEnvironment(env), timeoutSeconds };
  const { code, stdout, stderr } = await runProgram("/bin/sh", [script, ...args], options);
  if (code === 0) return stdout;
  throw new GitError(`git-work.sh ${args[0]}: ${stderr.trim().split("\n").at(-1) || `exit status ${code}`}`, stderr);
}

/** Parses the output of `git-work.sh end`. */
function parseWork(text: string): Work {
  const lines = text
    .split("\n")
    .map((line) => ({ key: line.split(" ", 1)[0], rest: line.slice(line.indexOf(" ") + 1) }));
  const ofKey = (key: string) => lines.flatMap((line) => (line.key === key ? [line.rest] : []));
  return {
    commits: ofKey("commit").map((rest) => ({ hash: firstWord(rest), subject: afterFirstWord(rest) })),
    branches: ofKey("branch").map((rest) => ({ name: afterFirstWord(rest), commits: Number(firstWord(rest)) })),
    isChanged: ofKey("changed").length > 0,
    // Skips the two status letters and a space.
    uncommitted: ofKey("dirty").map((rest) => rest.slice(3)),
    warnings: ofKey("warning"),
  };
}

function firstWord(text: string): string {
  return text.split(" ", 1)[0] ?? "";
}

function afterFirstWord(text: string): string {
  const at = text.indexOf(" ");
  return at < 0 ? "" : text.slice(at + 1);
}
