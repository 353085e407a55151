import type { Run } from "../../components/cron/runs/run.ts";
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
  if (run.repo !== undefined && run.branch !== undefined && run.commits.length > 0) {
    lines.push(`  look     git -C ${run.repo} show ${run.branch}`);
  }
  return lines.join("\n");
}

/** Whether a run went as a person wants it: scripts get exit code 1 for the others. */
export function wentWell(run: Run): boolean {
  return run.outcome === "succeeded" || run.outcome === "no_changes";
}
