import type { Commit, Outcome } from "../../runs/run.ts";

/** How an agent came to its end. */
export type Ending =
  /** Its command ended by itself. */
  | { readonly kind: "exited"; readonly exitCode: number }
  /** mngr says DONE; with which exit status nobody knows. */
  | { readonly kind: "done" }
  /** It has been waiting for its person, and for nothing else. */
  | { readonly kind: "settled" }
  /** It has been waiting for somebody to allow it something. */
  | { readonly kind: "blocked" }
  /** Its command went away without leaving an exit status. */
  | { readonly kind: "vanished" }
  | { readonly kind: "stopped" }
  | { readonly kind: "destroyed" }
  | { readonly kind: "timed_out" }
  /** Whoever asked for its end says why. */
  | { readonly kind: "interrupted"; readonly reason: string };

/** What is there to see once the agent has been stopped. */
export interface Remains {
  readonly commits: readonly Commit[];
  /** Files with changes that were not committed. */
  readonly uncommittedFiles: number;
  /** Absolute path; undefined when there is none any more. */
  readonly worktree: string | undefined;
  readonly timeoutSeconds: number;
}

export interface Verdict {
  readonly outcome: Exclude<Outcome, "skipped">;
  /** Undefined for a plain success. */
  readonly reason: string | undefined;
}

/** Success is what was seen in git, and that nothing went wrong on the way to it. */
export function verdictOf(ending: Ending, remains: Remains): Verdict {
  switch (ending.kind) {
    case "exited":
      if (ending.exitCode === 0) return verdictOfWork(remains);
      return failed(`its command ended with exit status ${ending.exitCode}`);
    case "done":
    case "settled":
      return verdictOfWork(remains);
    case "blocked":
      return failed("it was waiting for a permission that nobody was there to give");
    case "vanished":
      return failed("its command was killed, or its terminal was closed");
    case "stopped":
      return failed("its agent was stopped by somebody else, or this machine was restarted");
    case "destroyed":
      return failed("its agent was destroyed by somebody else");
    case "timed_out":
      return {
        outcome: "timed_out",
        reason: `it was not done within its ${remains.timeoutSeconds} s, and was stopped`,
      };
    case "interrupted":
      return failed(ending.reason);
  }
}

function verdictOfWork({ commits, uncommittedFiles, worktree }: Remains): Verdict {
  if (commits.length > 0) return { outcome: "succeeded", reason: undefined };
  if (uncommittedFiles === 0) return { outcome: "no_changes", reason: "it made no commit" };
  const files = uncommittedFiles === 1 ? "1 file" : `${uncommittedFiles} files`;
  return { outcome: "no_changes", reason: `it made no commit, but left changes of ${files} in ${worktree}` };
}

function failed(reason: string): Verdict {
  return { outcome: "failed", reason };
}
