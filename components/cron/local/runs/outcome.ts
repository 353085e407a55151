import type { Outcome } from "../../run-records.ts";
import type { Work } from "./work.ts";

/** How an agent came to its end. */
export type Ending =
  /** Its command ended by itself. */
  | { readonly kind: "exited"; readonly exitCode: number }
  /** mngr says DONE; with which exit status nobody knows. */
  | { readonly kind: "done" }
  /** The process of a conversation, which never ends by itself, is gone. */
  | { readonly kind: "died" }
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

/** What can be seen once the agent has been stopped. */
export interface Remains extends Pick<Work, "commits" | "isChanged" | "uncommitted"> {
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
    case "died":
      return failed("its agent's process ended, which a conversation's does not by itself");
    case "blocked":
      return failed("it was waiting for a permission that nobody could give");
    case "vanished":
      return failed("its command was killed, or its terminal was closed");
    case "stopped":
      return failed("its agent was stopped by somebody else, or this machine was restarted");
    case "destroyed":
      return failed("its agent was destroyed by somebody else");
    case "timed_out":
      return {
        outcome: "timed_out",
        reason: `it did not finish within its ${remains.timeoutSeconds} s, and was stopped`,
      };
    case "interrupted":
      return failed(ending.reason);
  }
}

function verdictOfWork(remains: Remains): Verdict {
  const { commits, isChanged } = remains;
  if (isChanged) return { outcome: "succeeded", reason: undefined };
  if (commits.length === 1) return { outcome: "no_changes", reason: "its commit changes nothing" };
  if (commits.length > 1) return { outcome: "no_changes", reason: `its ${commits.length} commits change nothing` };
  const left = uncommittedInWords(remains);
  return { outcome: "no_changes", reason: `it made no commit${left === undefined ? "" : `, but ${left}`}` };
}

/** What to warn of beside the outcome: changes that no commit holds, unless they are the reason already. */
export function warningOfUncommitted(remains: Remains): string | undefined {
  const left = remains.commits.length === 0 ? undefined : uncommittedInWords(remains);
  return left === undefined ? undefined : `it ${left}`;
}

/** So many files are named. */
const namedFiles = 5;

function uncommittedInWords({ uncommitted, worktree }: Remains): string | undefined {
  const count = uncommitted.length;
  if (count === 0) return undefined;
  const named = uncommitted.slice(0, namedFiles).join(", ");
  const more = count > namedFiles ? ` and ${count - namedFiles} more` : "";
  return `left changes of ${count === 1 ? "1 file" : `${count} files`} in ${worktree}: ${named}${more}`;
}

function failed(reason: string): Verdict {
  return { outcome: "failed", reason };
}
