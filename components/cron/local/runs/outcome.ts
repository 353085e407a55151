import { upCommand } from "../../../lib/own-commands.ts";
import type { ApiFailure } from "../../../mngr/claude-error.ts";
import { claudeKeys } from "../../../models/claude-events.ts";
import { type Outcome, rejectedKey } from "../../run-records.ts";
import type { Work } from "./work.ts";

/** How an agent ended. */
export type Ending =
  /** Its command exited by itself. */
  | { readonly kind: "exited"; readonly exitCode: number }
  /** mngr reports DONE, without an exit status. */
  | { readonly kind: "done" }
  /** The process of a conversational agent, which never exits by itself, is gone. */
  | { readonly kind: "died" }
  /** It has been waiting for user input, and for nothing else. */
  | { readonly kind: "settled" }
  /** It has been waiting for a permission. */
  | { readonly kind: "blocked" }
  /** Its command disappeared without recording an exit status. */
  | { readonly kind: "vanished" }
  | { readonly kind: "stopped" }
  | { readonly kind: "destroyed" }
  | { readonly kind: "timed_out" }
  /** Ended on request, with the reason. */
  | { readonly kind: "interrupted"; readonly reason: string };

/** What can be observed after the agent was stopped. */
export interface Leftovers extends Pick<Work, "commits" | "isChanged" | "uncommitted"> {
  /** Absolute path; undefined if the worktree no longer exists. */
  readonly worktree: string | undefined;
  readonly timeoutSeconds: number;
  /** The error with which its conversation ended. */
  readonly apiFailure?: ApiFailure | undefined;
}

export interface RunResult {
  readonly outcome: Exclude<Outcome, "skipped">;
  /** Undefined for a plain success. */
  readonly reason: string | undefined;
}

/** An error of the model's API, in words. */
export function apiFailureInWords({ isAboutKey, text }: ApiFailure): string {
  if (!isAboutKey) return `the model's API failed: ${text}`;
  return `${rejectedKey} (${text}): export a valid ${claudeKeys.join(" or ")} where you run ${upCommand()}, and run that`;
}

/** A run succeeds if git shows changes and nothing failed on the way. */
export function resultOf(ending: Ending, leftovers: Leftovers): RunResult {
  switch (ending.kind) {
    case "exited":
      if (ending.exitCode === 0) return resultOfWork(leftovers);
      return failed(`its command ended with exit status ${ending.exitCode}`);
    case "done":
    case "settled":
      return resultOfWork(leftovers);
    case "died":
      return failed("its agent's process ended, although a conversation never ends by itself");
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
        reason: `it did not finish within its ${leftovers.timeoutSeconds} s, and was stopped`,
      };
    case "interrupted":
      return failed(ending.reason);
  }
}

function resultOfWork(leftovers: Leftovers): RunResult {
  const { commits, isChanged, apiFailure } = leftovers;
  if (apiFailure !== undefined && !isChanged) return failed(apiFailureInWords(apiFailure));
  if (isChanged) return { outcome: "succeeded", reason: undefined };
  if (commits.length === 1) return { outcome: "no_changes", reason: "its commit changes nothing" };
  if (commits.length > 1) return { outcome: "no_changes", reason: `its ${commits.length} commits change nothing` };
  const left = uncommittedInWords(leftovers);
  return { outcome: "no_changes", reason: `it made no commit${left === undefined ? "" : `, but ${left}`}` };
}

/** A warning about uncommitted changes, unless they are already the reason for the outcome. */
export function warningOfUncommitted(leftovers: Leftovers): string | undefined {
  const left = leftovers.commits.length === 0 ? undefined : uncommittedInWords(leftovers);
  return left === undefined ? undefined : `it ${left}`;
}

/** How many files are named at most. */
const namedFiles = 5;

function uncommittedInWords({ uncommitted, worktree }: Leftovers): string | undefined {
  const count = uncommitted.length;
  if (count === 0) return undefined;
  const named = uncommitted.slice(0, namedFiles).join(", ");
  const more = count > namedFiles ? ` and ${count - namedFiles} more` : "";
  return `left changes of ${count === 1 ? "1 file" : `${count} files`} in ${worktree}: ${named}${more}`;
}

function failed(reason: string): RunResult {
  return { outcome: "failed", reason };
}
