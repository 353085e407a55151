import type { AgentResponse, Recording, SourceDiagnostic } from "../domain.ts";
import { ownValue } from "../own-value.ts";
import type { Subject } from "./subject.ts";
import { type Handled, HostError } from "./version-host.ts";

export interface Replayed {
  /** How many requests were compared. */
  readonly compared: number;
  /** How many requests the base itself answers differently now, or answered with an error. They are left out. */
  readonly left: number;
  readonly differences: readonly SourceDiagnostic[];
  /** Median times of the compared answers, in ms. */
  readonly base: number;
  readonly candidate: number;
}

/** Only these headers must stay the same. Others, such as a date, may change. */
const comparedHeaders = ["content-type", "location", "cache-control", "content-disposition", "www-authenticate"];
const maxDifferences = 20;
/** A candidate is too slow if its median exceeds the base's by this factor, and by this many milliseconds. */
const slower = { factor: 3, milliseconds: 25 };
const minForTimes = 5;

/**
 * Sends recorded requests to the base and to the candidate, on the same machine, with the recorded clock, random seed and
 * state.
 */
export async function replay(
  recordings: readonly Recording[],
  subjects: { readonly base: Subject; readonly candidate: Subject },
  options: { readonly baseVersion: string; readonly milliseconds: number; readonly signal?: AbortSignal },
): Promise<Replayed> {
  const until = performance.now() + options.milliseconds;
  const times = { base: [] as number[], candidate: [] as number[] };
  const differences: SourceDiagnostic[] = [];
  let left = 0;
  for (const recording of recordings) {
    options.signal?.throwIfAborted();
    if (performance.now() > until) {
      differences.push({ message: `the replay took more than ${options.milliseconds} ms` });
      break;
    }
    const before = await repeatRequest(recording, subjects.base);
    const isRepeatable =
      typeof before !== "string" &&
      before.response.status < 500 &&
      (recording.version !== options.baseVersion ||
        responseDifference(before.response, recording.response) === undefined);
    if (!isRepeatable) {
      left += 1;
      continue;
    }
    const after = await repeatRequest(recording, subjects.candidate);
    const difference = typeof after === "string" ? after : differenceOf(before, after);
    if (difference !== undefined) differences.push({ message: `${nameOf(recording)}: ${difference}` });
    times.base.push(before.milliseconds);
    if (typeof after !== "string") times.candidate.push(after.milliseconds);
  }
  const [base, candidate] = [median(times.base), median(times.candidate)];
  return { compared: times.base.length, left, differences: shorten(differences), base, candidate };
}

/** @returns why the candidate is too slow, or undefined if it is not */
export function tooSlow({ compared, base, candidate }: Replayed): string | undefined {
  if (compared < minForTimes) return undefined;
  if (candidate <= base * slower.factor || candidate <= base + slower.milliseconds) return undefined;
  return `answers took ${candidate.toFixed(1)} ms, and ${base.toFixed(1)} ms before (medians of ${compared}); make it faster`;
}

/** @returns the answer, or why there is none */
async function repeatRequest({ request, now, seed, state }: Recording, subject: Subject): Promise<Handled | string> {
  const read = async (key: string) => ownValue(state, key) ?? undefined;
  try {
    return await (await subject.host()).handle(request, { now, seed, read });
  } catch (error) {
    if (error instanceof HostError) return `no answer: ${error.message}`;
    throw error;
  }
}

function differenceOf(before: Handled, after: Handled): string | undefined {
  return responseDifference(before.response, after.response) ?? writesDifference(before.writes, after.writes);
}

/** @returns the first difference, or undefined if there is none */
function responseDifference(before: AgentResponse, after: AgentResponse): string | undefined {
  if (before.status !== after.status) return `the status is ${after.status}, and was ${before.status}`;
  for (const name of comparedHeaders) {
    const [was, is] = [before.headers[name], after.headers[name]];
    if (was !== is) return `the header ${name} is ${shown(is)}, and was ${shown(was)}`;
  }
  return before.body === after.body
    ? undefined
    : `the body is ${excerpt(after.body, before.body)}, and was ${excerpt(before.body, after.body)}`;
}

function writesDifference(before: Handled["writes"], after: Handled["writes"]): string | undefined {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before, after].map((writes) =>
      Object.hasOwn(writes, key) ? (writes[key] ?? "deleted") : "not written",
    );
    if (was !== is) return `the state's ${shown(key)} is ${shown(is)}, and was ${shown(was)}`;
  }
  return undefined;
}

const shown = (text: string | undefined) => (text === undefined ? "missing" : JSON.stringify(text.slice(0, 200)));

/** The part around the first character that differs. */
function excerpt(text: string, other: string): string {
  let same = 0;
  while (same < text.length && text[same] === other[same]) same += 1;
  const start = Math.max(0, same - 40);
  const end = same + 120;
  return `${start > 0 ? "…" : ""}${JSON.stringify(text.slice(start, end))}${end < text.length ? "…" : ""}`;
}

function nameOf({ request }: Recording): string {
  const query = new URLSearchParams(request.query).toString();
  return `${request.method} ${request.path}${query === "" ? "" : `?${query}`}`.slice(0, 200);
}

function shorten(differences: readonly SourceDiagnostic[]): readonly SourceDiagnostic[] {
  const rest = differences.length - maxDifferences;
  return rest <= 0 ? differences : [...differences.slice(0, maxDifferences), { message: `… and ${rest} more` }];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
