import { appendFileSync, writeFileSync } from "node:fs";
import { messageOf } from "../../../components/lib/as-error.ts";
import { printNote, printText } from "../../../components/lib/terminal.ts";
import { planMarkdown } from "../../changeling/plan/markdown.ts";
import { code } from "../../changeling/plan/markdown-escape.ts";
import { planOf } from "../../changeling/plan/preview.ts";
import type { Plan } from "../../changeling/plan/summary.ts";
import { fleetOf } from "../../changeling/stack-fleet.ts";
import type { Stack } from "../stack.ts";
import { withEmptyStack } from "./empty-stack.ts";
import { hasKey, isPipeline, pullRequestOf, withoutValues } from "./job-environment.ts";
import { refusals } from "./refusals.ts";
import { withRemedy } from "./remedies.ts";

export interface PreviewOptions {
  readonly stack: Stack;
  /** undefined: stdout */
  readonly out: string | undefined;
  readonly withoutState: boolean;
}

/**
 * Writes the plan as Markdown, also to the job's summary where the pipeline has one. Errors of the fleet, the stack or
 * the backend are part of the plan, so that reviewers of the pull request see them.
 *
 * @returns whether the plan could be applied
 */
export async function preview({ stack, out, withoutState }: PreviewOptions): Promise<boolean> {
  const isKeyless = withoutState || (isPipeline() && !hasKey());
  const plan = await (isKeyless ? withEmptyStack(stack, checkedPlan) : checkedPlan(stack)).catch(failedPlan);
  const note = [commitNote(), isKeyless ? keylessNote : undefined].filter((line) => line !== undefined).join(" ");
  const markdown = withoutValues(planMarkdown(plan, { stack: stack.name, ...(note === "" ? {} : { note }) }));
  if (out === undefined) printText(markdown);
  else writeFileSync(out, markdown);
  const summary = process.env["GITHUB_STEP_SUMMARY"];
  if (summary !== undefined) appendFileSync(summary, markdown);
  for (const error of plan.errors) printNote(`${withoutValues(`error: ${error}`)}\n`);
  return plan.errors.length === 0;
}

const keylessNote =
  "This job has no key of the stack (a pull request from a fork gets none), so the fleet is compared with an empty stack: " +
  "every changeling is shown as added, and the current state is unknown.";

function commitNote(): string | undefined {
  const commit = pullRequestOf(process.env)?.commit ?? process.env["CI_COMMIT_SHA"];
  return commit === undefined ? undefined : `Commit ${code(commit.slice(0, 10))}.`;
}

async function checkedPlan(stack: Stack): Promise<Plan> {
  const plan = await planOf(stack);
  if (plan.errors.length > 0) return { ...plan, errors: plan.errors.map(withRemedy) };
  const { fleet } = await fleetOf(stack, { checkRemotes: false });
  return { ...plan, errors: fleet === undefined ? [] : refusals(fleet) };
}

function failedPlan(error: unknown): Plan {
  return { changes: [], errors: [withRemedy(messageOf(error))], warnings: [] };
}
