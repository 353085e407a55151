import { shortTime } from "../../../components/lib/times.ts";
import { type PlannedChangeWithFires, type Timing, unreportedFields } from "./summary.ts";

/** The plan as plain text. */
export function planText(changes: readonly PlannedChangeWithFires[]): string {
  if (changes.length === 0) return "Nothing changes: the fleet is as declared.";
  return changes.map(changeText).join("\n");
}

const verbs = { add: "is added", change: "changes", repair: "is repaired", remove: "is removed" } as const;

function changeText(change: PlannedChangeWithFires): string {
  const own = { secrets: `${change.name}: its secrets`, shared: `${change.name} (shared)` }[change.part];
  const what = change.title ?? own ?? change.name;
  const verb =
    change.part === "secrets" ? verbs[change.action].replace("is ", "are ").replace(/s$/, "") : verbs[change.action];
  const lines = [`${what} ${verb}${change.drift === undefined ? "" : `: ${change.drift}`}`];
  const isTimingChanged =
    change.action === "add" ||
    change.action === "remove" ||
    JSON.stringify(change.before) !== JSON.stringify(change.after);
  if (isTimingChanged && change.before) lines.push(`  before  ${timingText(change.before, change.nextBefore)}`);
  if (isTimingChanged && change.after) lines.push(`  after   ${timingText(change.after, change.nextAfter)}`);
  for (const { field, before, after } of unreportedFields(change)) {
    // An added changeling has no previous values.
    const isNew = change.action === "add" && before === undefined;
    lines.push(`  ${field}: ${isNew ? "" : `${before ?? "(none)"} => `}${after ?? "(none)"}`);
  }
  for (const note of change.notes ?? []) lines.push(`  ${note}`);
  return lines.join("\n");
}

function timingText(timing: Timing, fires: readonly Date[]): string {
  const words = `${timing.when} (${timing.schedule}), ${timing.timezone}`;
  if (!timing.enabled) return `${words}: paused`;
  return `${words}: next ${fires.map((date) => shortTime(date, timing.timezone)).join(", ")}`;
}
