import type { Command } from "commander";
import { nextFires } from "../../components/fleet/index.ts";
import { pulumi } from "../stack.ts";
import { answer, contextOf, requireDevStack } from "./context.ts";
import { type PlannedChange, plannedChanges, previewJson, type Timing } from "./plan-summary.ts";
import { examples } from "./program.ts";
import { shortTime } from "./times.ts";

/** How many fire times a plan tells before and after. */
const fireCount = 3;

export function addPlan(program: Command): void {
  program
    .command("plan")
    .description("what the next `pulumi up` changes, in words, with the next three fire times before and after")
    .addHelpText("after", examples("plan", "plan --json", "--stack production plan"))
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      requireDevStack(context.stack);
      const { code, stdout, stderr } = await pulumi(context.stack, ["preview", "--json"], { capture: true });
      const preview = parsePreview(stdout);
      if (code !== 0 || preview === undefined) throw new Error(messagesOf(preview) || stderr.trim() || stdout.trim());
      for (const warning of warningsOf(preview)) process.stderr.write(`warning: ${warning}\n`);
      const changes = plannedChanges(preview).map((change) => ({
        ...change,
        nextBefore: firesOf(change.before),
        nextAfter: firesOf(change.after),
      }));
      answer(context, { changes }, planText(changes));
    });
}

export type PlannedChangeWithFires = PlannedChange & {
  readonly nextBefore: readonly Date[];
  readonly nextAfter: readonly Date[];
};

/** The plan as a person reads it. */
export function planText(changes: readonly PlannedChangeWithFires[]): string {
  if (changes.length === 0) return "Nothing changes: the fleet is as declared.";
  return changes.map(changeText).join("\n");
}

const verbs = { add: "is added", change: "changes", mend: "is mended", remove: "is removed" } as const;

function changeText(change: PlannedChangeWithFires): string {
  const what = { job: change.name, secrets: `${change.name}: its secrets`, scheduler: "The scheduler" }[change.part];
  const verb =
    change.part === "secrets" ? verbs[change.action].replace("is ", "are ").replace(/s$/, "") : verbs[change.action];
  const lines = [`${what} ${verb}${change.drift === undefined ? "" : `: ${change.drift}`}`];
  const isTimingChanged =
    change.action === "add" ||
    change.action === "remove" ||
    JSON.stringify(change.before) !== JSON.stringify(change.after);
  if (isTimingChanged && change.before) lines.push(`  before  ${timingText(change.before, change.nextBefore)}`);
  if (isTimingChanged && change.after) lines.push(`  after   ${timingText(change.after, change.nextAfter)}`);
  const told = new Set(["schedule", "timezone", "enabled"]);
  for (const { field, before, after } of change.fields.filter((each) => !told.has(each.field))) {
    lines.push(`  ${field}: ${before ?? "(none)"} => ${after ?? "(none)"}`);
  }
  return lines.join("\n");
}

function timingText(timing: Timing, fires: readonly Date[]): string {
  const words = `${timing.when} (${timing.schedule}), ${timing.timezone}`;
  if (!timing.enabled) return `${words}: paused`;
  return `${words}: next ${fires.map((date) => shortTime(date, timing.timezone)).join(", ")}`;
}

function firesOf(timing: Timing | undefined): Date[] {
  return timing?.enabled ? nextFires(timing.schedule, timing.timezone, new Date(), fireCount) : [];
}

function parsePreview(stdout: string) {
  try {
    return previewJson.parse(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}

type Preview = ReturnType<typeof parsePreview>;

function messagesOf(preview: Preview): string {
  return diagnostics(preview, "error").join("\n");
}

function warningsOf(preview: Preview): string[] {
  return diagnostics(preview, "warning");
}

function diagnostics(preview: Preview, wanted: string): string[] {
  const found = (preview?.diagnostics ?? []).filter(({ severity }) => severity === wanted);
  return found.map(({ message }) => (message ?? "").replace(/<\{%[^%]*%\}>/g, "").trim());
}
