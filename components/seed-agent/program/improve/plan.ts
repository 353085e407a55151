import type { Situation } from "./improver.ts";

/**
 * The plan if the active version has no `plan.ts`: repair the most frequent problem, or else get closer to the goal.
 *
 * @returns the task for the model, or undefined if there is no problem and no goal
 */
export function defaultPlan({ goal, signals }: Situation): string | undefined {
  const problems = signals.filter(({ kind }) => kind === "error" || kind === "check" || kind === "slow");
  const [worst] = problems.toSorted((one, other) => rank(one.kind) - rank(other.kind) || other.count - one.count);
  if (worst !== undefined)
    return `Find the cause of this, repair it, and add a test that fails without the repair: ${worst.summary}`;
  if (goal.trim() === "") return undefined;
  return "Make one small change that gets closer to the goal, with a test. If the goal is reached, change nothing.";
}

const order = ["error", "check", "slow"];

function rank(kind: string): number {
  return order.indexOf(kind);
}
