import type { Run } from "../../components/cron/runs/run.ts";
import { isRepoUrl } from "../../components/fleet/repo.ts";
import { duration, fromNow } from "./times.ts";

/** A run in one short phrase: `succeeded 2 h ago: 1 commit`. */
export function runInWords(run: Run, now: Date = new Date()): string {
  const when = fromNow(new Date(run.endedAt ?? run.firedAt), now);
  if (run.outcome === undefined) return `running, fired ${when}`;
  const count = run.commits.length;
  const commits = count === 0 ? "" : `: ${count} commit${count === 1 ? "" : "s"}`;
  return `${run.outcome.replace("_", " ")} ${when}${commits}`;
}

/** What the agent just did, line by line: outcome, branch, commits, and how to look at them. */
export function runReport(run: Run): string {
  const took = run.durationSeconds === undefined ? "" : ` after ${duration(run.durationSeconds)}`;
  const reason = run.reason === undefined ? "" : `: ${run.reason}`;
  const lines = [`${run.id} ${run.outcome?.replace("_", " ") ?? "is running"}${took}${reason}`];
  if (run.branch !== undefined) lines.push(`  branch   ${run.branch}`);
  for (const { hash, subject } of run.commits) lines.push(`  commit   ${hash.slice(0, 10)} ${subject}`);
  if (run.repo !== undefined) lines.push(`  in       ${run.repo}`);
  const look = lookCommand(run);
  if (look !== undefined) lines.push(`  look     ${look}`);
  return lines.join("\n");
}

/** How to see what it committed; undefined when there is nothing, or no command that can be copied as it is. */
function lookCommand({ repo, branch, commits }: Run): string | undefined {
  if (repo === undefined || branch === undefined || commits.length === 0) return undefined;
  if (!isRepoUrl(repo)) return `git -C ${repo} show ${branch}`;
  // On Modal an agent can write its own records.
  const isPlain = [repo, branch].every((each) => /^\w[\w./:@~+-]*$/.test(each));
  return isPlain ? `git fetch ${repo} ${branch} && git show FETCH_HEAD` : undefined;
}

/** Whether a run went as a person wants it: scripts get exit code 1 for the others. */
export function wentWell(run: Run): boolean {
  return run.outcome === "succeeded" || run.outcome === "no_changes";
}
