import { nextFires } from "../../../components/cron/schedule.ts";
import { problemOf, pulumi, type Stack } from "../../stack/stack.ts";
import { requireDevStack } from "../stack-selection.ts";
import { withCommits } from "./commits.ts";
import { inspectionsFor, type Plan, type PreviewJson, plannedChanges, previewJson, type Timing } from "./summary.ts";

/** How many fire times a plan shows before and after. */
const fireCount = 3;

/** Previews a stack without changes. Errors in the fleet, the stack or its backend become errors of the plan. */
export async function planOf(stack: Stack): Promise<Plan> {
  requireDevStack(stack);
  const args = ["preview", "--json", "--non-interactive"];
  const finished = await pulumi(stack, args, { capture: true });
  const preview = parsePreview(finished.stdout);
  const found = diagnostics(preview, "error");
  const isBroken = (finished.code !== 0 || preview === undefined) && found.length === 0;
  const inspections = await inspectionsFor(preview ?? {});
  const changes = plannedChanges(preview ?? {}, inspections).map(async (change) => ({
    ...change,
    fields: await withCommits(change),
    nextBefore: firesOf(change.before),
    nextAfter: firesOf(change.after),
  }));
  return {
    changes: await Promise.all(changes),
    errors: isBroken ? [problemOf(finished)] : found,
    warnings: diagnostics(preview, "warning"),
  };
}

function firesOf(timing: Timing | undefined): Date[] {
  return timing?.enabled ? nextFires(timing.schedule, timing.timezone, new Date(), fireCount) : [];
}

function parsePreview(stdout: string): PreviewJson | undefined {
  try {
    return previewJson.parse(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}

function diagnostics(preview: PreviewJson | undefined, wanted: "error" | "warning"): string[] {
  const found = (preview?.diagnostics ?? []).filter(({ severity }) => severity === wanted);
  return found.map(({ message }) =>
    (message ?? "")
      .replace(/<\{%[^%]*%\}>/g, "")
      .trim()
      .replace(/^(error|warning): /, ""),
  );
}
