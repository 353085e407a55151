import { shortTime } from "../../../components/lib/times.ts";
import { code, codeBlock, words } from "./markdown-escape.ts";
import { type Action, type Plan, type PlannedChangeWithFires, type Timing, unreportedFields } from "./summary.ts";

/** GitHub rejects comments over 65,536 characters; the rest is for lines that a pipeline adds. */
const defaultLimit = 65_000;
/** The share that errors may take, and warnings too: a plan that can't be applied must say why, however long it is. */
const diagnosticsPart = 1 / 4;

export interface PlanMarkdownOptions {
  readonly stack: string;
  /** A paragraph of the caller's own Markdown below the heading. */
  readonly note?: string;
  /** The maximum length, in characters. */
  readonly limit?: number;
}

/** The plan as a pull request comment: a table per changeling, then errors and warnings. Ends with a newline. */
export function planMarkdown(plan: Plan, { stack, note, limit = defaultLimit }: PlanMarkdownOptions): string {
  const sections = [...grouped(plan.changes)].map(([title, changes]) => sectionOf(title, changes));
  const head = [`### Plan for ${code(stack, 120)}`, ...(note === undefined ? [] : [note]), summary(plan, sections)];
  const most = limit * diagnosticsPart;
  const tail = [...diagnostics("Errors", plan.errors, most), ...diagnostics("Warnings", plan.warnings, most)];
  let room = limit - [...head, ...tail].join("\n\n").length - 400;
  const shown: string[] = [];
  for (const section of sections) {
    room -= section.text.length + 2;
    if (room < 0) break;
    shown.push(section.text);
  }
  const left = sections.length - shown.length;
  if (left > 0) shown.push(`… and ${left} more, too long to show here: \`changeling plan\` shows all of them.`);
  return `${[...head, ...shown, ...tail].join("\n\n")}\n`;
}

interface Section {
  readonly text: string;
  readonly action: Action;
  /** Only the changeling's secrets change; such changes are counted separately. */
  readonly isOfSecrets: boolean;
}

/** By display name, in the engine's order: a changeling, the scheduler, a shared resource. */
function grouped(changes: readonly PlannedChangeWithFires[]): Map<string, PlannedChangeWithFires[]> {
  const groups = new Map<string, PlannedChangeWithFires[]>();
  for (const change of changes) {
    const name = code(change.name);
    const title =
      change.title === undefined ? (change.part === "shared" ? `Shared: ${name}` : name) : words(change.title);
    groups.set(title, [...(groups.get(title) ?? []), change]);
  }
  return groups;
}

const verbs = { add: "is added", change: "changes", repair: "is repaired", remove: "is removed" } as const;
const pluralVerbs = { add: "are added", change: "change", repair: "are repaired", remove: "are removed" } as const;

function sectionOf(title: string, changes: readonly PlannedChangeWithFires[]): Section {
  const secrets = changes.filter(({ part }) => part === "secrets");
  const rest = changes.filter(({ part }) => part !== "secrets");
  // A changeling that moves between providers is removed from one and added to the other.
  const isOfSecrets = rest.length === 0;
  const actions = new Set((isOfSecrets ? secrets : rest).map(({ action }) => action));
  const [first] = actions;
  const action = actions.size > 1 || first === undefined ? "change" : first;
  const heading = rest.length > 0 ? `${title} ${verbs[action]}` : `The secrets of ${title}`;
  const ofSecrets = secrets.map((each) => {
    const subject = rest.length > 0 ? "Its secrets" : "They";
    return `${subject} ${pluralVerbs[each.action]}; their values are not shown.`;
  });
  const drifts = changes.flatMap(({ drift }) => (drift === undefined ? [] : [`Drift, repaired: ${code(drift)}`]));
  const notes = rest.flatMap((each) => each.notes ?? []).map((note) => `${note[0]?.toUpperCase()}${note.slice(1)}.`);
  const text = [`#### ${heading}`, ...tableOf(rest), ...notes, ...ofSecrets, ...drifts].join("\n\n");
  return { text, action, isOfSecrets };
}

type Row = readonly [label: string, before: string, after: string];

/** @returns one table, or none if it would be empty */
function tableOf(changes: readonly PlannedChangeWithFires[]): string[] {
  const before = changes.find((change) => change.before !== undefined);
  const after = changes.find((change) => change.after !== undefined);
  const old = before?.before;
  const next = after?.after;
  const isTimed = changes.some(({ action }) => action === "add" || action === "remove");
  const timing: readonly Row[] =
    isTimed || JSON.stringify(old) !== JSON.stringify(next)
      ? [
          ["when", cell(old, ({ when }) => words(when)), cell(next, ({ when }) => words(when))],
          ["schedule", cell(old, ({ schedule }) => code(schedule)), cell(next, ({ schedule }) => code(schedule))],
          ["time zone", cell(old, ({ timezone }) => words(timezone)), cell(next, ({ timezone }) => words(timezone))],
          [
            "next runs",
            cell(old, (it) => runs(it, before?.nextBefore)),
            cell(next, (it) => runs(it, after?.nextAfter)),
          ],
        ]
      : [];
  const fields = changes.flatMap((change): Row[] =>
    unreportedFields(change).map((field) => [words(field.field), shownValue(field.before), shownValue(field.after)]),
  );
  const rows = [...(old === undefined && next === undefined ? [] : timing), ...fields];
  if (rows.length === 0) return [];
  return [["| | before | after |", "|---|---|---|", ...rows.map((row) => `| ${row.join(" | ")} |`)].join("\n")];
}

function cell(timing: Timing | undefined, of: (timing: Timing) => string): string {
  return timing === undefined ? "" : of(timing);
}

function runs({ enabled, timezone }: Timing, fires: readonly Date[] = []): string {
  return enabled ? fires.map((date) => words(shortTime(date, timezone))).join("<br>") : "paused";
}

function shownValue(value: string | undefined): string {
  return value === undefined ? "" : code(value);
}

function summary({ errors }: Plan, sections: readonly Section[]): string {
  if (errors.length > 0) return "**This can't be applied**, for the errors below.";
  if (sections.length === 0) return "Nothing changes: the fleet is as declared.";
  const counts = [false, true].flatMap((isOfSecrets) =>
    (["add", "change", "repair", "remove"] as const).flatMap((action) => {
      const count = sections.filter((each) => each.isOfSecrets === isOfSecrets && each.action === action).length;
      if (count === 0) return [];
      if (isOfSecrets) return [`the secrets of ${count} ${pluralVerbs[action]}`];
      return [`${count} ${(count === 1 ? verbs : pluralVerbs)[action]}`];
    }),
  );
  const text = counts.join(", ");
  return `**${text.charAt(0).toUpperCase()}${text.slice(1)}.**`;
}

function diagnostics(title: string, messages: readonly string[], most: number): string[] {
  if (messages.length === 0) return [];
  return [`#### ${title}`, codeBlock(messages.join("\n\n"), most)];
}
