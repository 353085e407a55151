import type { Situation } from "./improver.ts";

/**
 * The task for the model where the active version has no `plan.ts`: repair what fails, most frequent first, else what the
 * goal asks for; undefined without either.
 */
export function defaultPlan({ goal, signals }: Situation): string | undefined {
  const troubles = signals.filter(({ kind }) => kind === "error" || kind === "check" || kind === "slow");
  const [worst] = troubles.toSorted((one, other) => rank(one.kind) - rank(other.kind) || other.count - one.count);
  if (worst !== undefined)
    return `Find the cause of this, repair it, and add a test that fails without the repair: ${worst.summary}`;
  if (goal.trim() === "") return undefined;
  return "Make one small change that comes nearer to the goal, with a test. If the goal is reached, change nothing.";
}

const order = ["error", "check", "slow"];

function rank(kind: string): number {
  return order.indexOf(kind);
}
