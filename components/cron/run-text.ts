import { isRepoUrl } from "../git/repo-name.ts";
import { shellCommand } from "../lib/shell-command.ts";
import { duration, fromNow } from "../lib/times.ts";
import type { Run } from "./run-records.ts";

/** A run in one short phrase: `succeeded 2 h ago: 1 commit`. */
export function runInWords(run: Run, now: Date = new Date()): string {
  const when = fromNow(new Date(run.endedAt ?? run.firedAt), now);
  if (run.outcome === undefined) return `running, fired ${when}`;
  const commits = run.commits.length === 0 ? "" : `: ${counted(run.commits.length, "commit")}`;
  const warnings = run.warnings.length === 0 ? "" : ` (${counted(run.warnings.length, "warning")})`;
  return `${run.outcome.replace("_", " ")} ${when}${commits}${warnings}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** A report of a finished run, line by line: outcome, branch, commits, and how to view them. */
export function runReport(run: Run): string {
  const took = run.durationSeconds === undefined ? "" : ` after ${duration(run.durationSeconds)}`;
  const reason = run.reason === undefined ? "" : `: ${run.reason}`;
  const lines = [`${run.id} ${run.outcome?.replace("_", " ") ?? "is running"}${took}${reason}`];
  if (run.branch !== undefined) lines.push(`  branch   ${run.branch}`);
  for (const { name, commits } of run.branches) lines.push(`  on       ${name}: ${counted(commits, "commit")}`);
  for (const { hash, subject } of run.commits) lines.push(`  commit   ${hash.slice(0, 10)} ${subject}`);
  if (run.repo !== undefined) lines.push(`  in       ${run.repo}`);
  const show = showCommand(run);
  if (show !== undefined) lines.push(`  show     ${show}`);
  for (const warning of run.warnings) lines.push(`  warning  ${warning}`);
  return lines.join("\n");
}

/** The command that shows its commits; undefined if there are none, or if no command is safe to copy. */
function showCommand({ repo, branch: own, branches, commits }: Run): string | undefined {
  const branch = branches[0]?.name ?? own;
  if (repo === undefined || branch === undefined || commits.length === 0) return undefined;
  if (!isRepoUrl(repo)) return shellCommand(["git", "-C", repo, "show", branch]);
  // On Modal, an agent can write its own records.
  const isPlain = [repo, branch].every((each) => /^\w[\w./:@~+-]*$/.test(each));
  return isPlain ? `git fetch ${repo} ${branch} && git show FETCH_HEAD` : undefined;
}

/** Whether a run counts as a success; otherwise scripts get exit code 1. */
export function wentWell(run: Run): boolean {
  return run.outcome === "succeeded" || run.outcome === "no_changes";
}
