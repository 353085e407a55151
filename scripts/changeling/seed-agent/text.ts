import { styleText } from "node:util";
import { plainWords } from "../../../components/lib/text.ts";
import { duration, fromNow } from "../../../components/lib/times.ts";
import type {
  AuditEntry,
  Change,
  ReportStep,
  SourceDiagnostic,
} from "../../../components/seed-agent/program/domain.ts";
import type { Status } from "../../../components/seed-agent/program/server/api.ts";
import { table } from "../terminal/table.ts";

/** Every text of an agent is untrusted, so control characters are removed where it is printed. */

type Stream = NodeJS.WriteStream;

export function statusText(name: string, status: Status): string {
  const { active, mode, modeReason, paused, fence, store, queue, nodes, problem, probation, budget } = status;
  const lines = [
    `${name} runs ${active}${paused ? ", and is paused: it activates nothing" : ""}`,
    `mode:      ${mode}${modeReason === undefined ? "" : ` (${modeReason})`}`,
    `confined:  ${fence.name}${fence.reason === undefined ? "" : ` (${fence.reason})`}`,
    `store:     ${store}`,
    `queue:     ${queue === 0 ? "empty" : `${queue} change${queue === 1 ? "" : "s"}`}`,
    `today:     ${budget.changesToday} of ${budget.changesPerDay} changes, ${dollars(budget.usdToday)} of ${dollars(budget.usdPerDay)} US dollars`,
    `nodes:     ${nodes.length === 0 ? "none reported yet" : ""}`.trimEnd(),
    ...nodes.map(({ id, active: runs, desired, problem: wrong }) => {
      const ordered = desired === undefined || desired === runs ? "" : `, should run ${desired}`;
      return `  ${id}  ${runs}${ordered}${wrong === undefined ? "" : `: ${wrong}`}`;
    }),
  ];
  if (probation !== undefined) {
    const { version, former, state, reason, requests, errors } = probation;
    const why = reason === undefined ? "" : `: ${reason}`;
    lines.push(
      `probation: ${version} in place of ${former} is ${state}${why} (${requests} requests, ${errors} errors)`,
    );
  }
  if (problem !== undefined) lines.push(`problem:   ${problem}`);
  return lines.join("\n");
}

function dollars(value: number): string {
  return value.toFixed(2);
}

export function changesText(changes: readonly Change[], now = new Date()): string {
  return table(
    ["CHANGE", "STATE", "VERSION", "BY", "SUBMITTED", "SUMMARY"],
    changes.map(({ id, state, version = "", author, submittedAt, summary }) => [
      ...[id, state, version, author, fromNow(new Date(submittedAt), now), shortened(summary)],
    ]),
  );
}

export function versionsText(
  versions: readonly { id: string; parent?: string | undefined; author: string; createdAt: string; summary: string }[],
  active: string,
  now = new Date(),
): string {
  return table(
    ["VERSION", "AFTER", "BY", "MADE", "SUMMARY"],
    versions.map(({ id, parent = "", author, createdAt, summary }) => [
      id === active ? `${id} (active)` : id,
      // The first one was never submitted.
      ...[parent, author, id === "v0" ? "" : fromNow(new Date(createdAt), now), shortened(summary)],
    ]),
  );
}

export function auditText(entries: readonly AuditEntry[]): string {
  return table(
    ["NUMBER", "AT", "BY", "ACTION", "CHANGE", "VERSION", "DETAIL"],
    entries.map(({ number, at, actor, action, change = "", version = "", detail = "" }) => [
      ...[String(number), at, actor, action, change, version, shortened(detail)],
    ]),
  );
}

/** A change's report, for a person. Its diff is printed after it. */
export function changeText(change: Change, stream: Stream): string {
  const { id, state, summary, author, base, version, activation, answers, reason, report, costUsd, approvedBy } =
    change;
  const lines = [
    `${id} is ${coloured(state, stream)}${reason === undefined ? "" : `: ${plainWords(reason)}`}`,
    plainWords(`summary:   ${summary}`),
    plainWords(`by:        ${author}, against ${base}${version === undefined ? "" : `, became ${version}`}`),
    `activated: ${activation}${approvedBy === undefined ? "" : plainWords(`, approved by ${approvedBy}`)}; answers ${answers === "same" ? "stay the same" : "may differ"}`,
  ];
  if (costUsd !== undefined) lines.push(`cost:      ${dollars(costUsd)} US dollars`);
  if (report !== undefined) lines.push("checks:", ...report.steps.map((step) => stepText(step, stream)));
  return lines.join("\n");
}

/** One step of a report, with its diagnostics. */
export function stepText({ name, outcome, milliseconds, summary, diagnostics }: ReportStep, stream: Stream): string {
  const mark = {
    passed: styled("green", "passed"),
    failed: styled("red", "failed"),
    skipped: styled("dim", "skipped"),
  };
  const head = `  ${mark[outcome](stream)}  ${name}, ${took(milliseconds)}: ${plainWords(summary)}`;
  return [head, ...diagnostics.map((each) => `          ${diagnosticText(each)}`)].join("\n");
}

function took(milliseconds: number): string {
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : duration(milliseconds / 1000);
}

function diagnosticText({ file, line, message }: SourceDiagnostic): string {
  const where = file === undefined ? "" : `${file}${line === undefined ? "" : `:${line}`}: `;
  return plainWords(`${where}${message}`).replaceAll("\n", "\n            ");
}

const stateColours: Readonly<Partial<Record<Change["state"], "green" | "red" | "yellow">>> = {
  active: "green",
  rejected: "red",
  "rolled-back": "red",
  failed: "red",
  waiting: "yellow",
};

function coloured(state: Change["state"], stream: Stream): string {
  const colour = stateColours[state];
  return colour === undefined ? state : styleText(colour, state, { stream });
}

function styled(style: "green" | "red" | "dim", text: string): (stream: Stream) => string {
  return (stream) => styleText(style, text, { stream });
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length <= 80 ? line : `${line.slice(0, 79)}…`;
}
