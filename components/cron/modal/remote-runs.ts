import { inParallel, modalWidth } from "../../lib/parallel.ts";
import { plainWords } from "../../lib/text.ts";
import type { Modal } from "../../modal/types.ts";
import { foldRuns, newestFirst, parseLine, type RecordedRun, type RecordLine } from "../run-records.ts";
import { type FiringApp, missedFires } from "./missed-fires.ts";

/**
 * Run records in a stack's runs volume: `<changeling>/<run id>/<event>.json`, one record each, and
 * `<changeling>/history.jsonl`, which contains the runs that are older than all those with a folder. Only requested
 * files are fetched, because logs are in the same folders. Agents can write to the volume, so a record is only accepted
 * if the run it names matches its path.
 */

/** The events of a run, in order. */
const events = ["fired", "skipped", "created", "ended", "destroyed"] as const;

/** Seconds from a run's timeout until its sandbox has certainly ended; the function uses the same margin. */
const marginSeconds = 720;
/** How long the function may take to create the sandbox (seconds). */
const createSeconds = 900;
/** Modal's limit for a sandbox's lifetime (seconds). */
const longestSeconds = 86_400;

/** Agents can write these files, so larger ones are not fetched. */
const maxRecordBytes = 256_000;
const maxHistoryBytes = 4_000_000;
const maxLogBytes = 4_000_000;

type RunLine = Exclude<RecordLine, { event: "queued" }>;

/** The runs volume of a stack. */
export interface RunsVolume {
  readonly client: Modal;
  readonly environment: string;
  readonly volume: string;
}

/** The timeout of a changeling's runs; undefined if it is no longer deployed. */
export type Timeouts = (changeling: string) => number | undefined;

/** Where a run's records are. */
export type RunKey = Pick<RecordedRun, "changeling" | "id">;

export interface WhichRuns {
  /** Of this changeling; undefined: of all changelings. */
  readonly name?: string | undefined;
  /** At most this many, the newest; undefined: all. */
  readonly limit?: number | undefined;
  /** The deployed apps: their missed fires are reported too, as failed runs. */
  readonly firing?: readonly FiringApp[] | undefined;
}

/**
 * Newest first. A run past its timeout without a recorded end counts as timed out.
 * @throws ModalError
 */
export async function readRemoteRuns(
  at: RunsVolume,
  timeoutSeconds: Timeouts,
  { name, limit = Number.POSITIVE_INFINITY, firing = [] }: WhichRuns = {},
): Promise<RecordedRun[]> {
  const recorded = await recordedChangelings(at, name);
  const places = recorded.flatMap(({ ids, changeling }) => ids.map((id) => ({ changeling, id })));
  const newest = places.sort((a, b) => (timeOf(a.id) < timeOf(b.id) ? 1 : -1)).slice(0, limit);
  // A changeling with a history usually has enough recent runs to show.
  const old = recorded.filter(({ hasHistory, ids }) => hasHistory && ids.length < limit);
  const [recent, histories] = await Promise.all([
    inParallel(newest, modalWidth, (place) => readLines(at, place)),
    inParallel(old, modalWidth, ({ changeling }) => readHistory(at, changeling)),
  ]);
  const missed = missedIn(recorded, name === undefined ? firing : firing.filter((app) => app.name === name));
  const found = [...foldedRuns(histories.flat(), recent.flat(), timeoutSeconds), ...missed];
  return newestFirst(found).slice(0, limit);
}

/** The last run of each changeling. @param firing as in `WhichRuns` @throws ModalError */
export async function readLastRemoteRuns(
  at: RunsVolume,
  timeoutSeconds: Timeouts,
  firing: readonly FiringApp[] = [],
): Promise<RecordedRun[]> {
  const recorded = await recordedChangelings(at);
  const last = recorded.flatMap(({ changeling, ids }) => {
    const id = ids.at(-1);
    return id === undefined ? [] : [{ changeling, id }];
  });
  const lines = await inParallel(last, modalWidth, (place) => readLines(at, place));
  // Missed fires are newer than any record.
  const newest = new Map(
    [...foldedRuns([], lines.flat(), timeoutSeconds), ...missedIn(recorded, firing)].map((run) => [
      run.changeling,
      run,
    ]),
  );
  return [...newest.values()];
}

/** One run; undefined if it has no record. @param firing as in `WhichRuns` @throws ModalError */
export async function readRemoteRun(
  at: RunsVolume,
  timeoutSeconds: Timeouts,
  place: RunKey,
  firing: readonly FiringApp[] = [],
): Promise<RecordedRun | undefined> {
  const find = (runs: readonly RecordedRun[]) => runs.find(({ id }) => id === place.id);
  if (!isIdOf(place.id, place.changeling)) return undefined;
  const run = find(foldedRuns([], await readLines(at, place), timeoutSeconds));
  if (run !== undefined) return run;
  const recorded = await recordedChangelings(at, place.changeling);
  const history = recorded.some(({ hasHistory }) => hasHistory) ? await readHistory(at, place.changeling) : [];
  const old = find(foldedRuns(history, [], timeoutSeconds));
  const app = firing.find(({ name }) => name === place.changeling);
  return old ?? (app && find(missedIn(recorded, [app])));
}

/** @param recorded the recorded changelings, to look up each app's newest record */
function missedIn(
  recorded: readonly { readonly changeling: string; readonly ids: readonly string[] }[],
  firing: readonly FiringApp[],
): RecordedRun[] {
  const lastIds = new Map(recorded.map(({ changeling, ids }) => [changeling, ids.at(-1)]));
  return firing.flatMap((app) => {
    const id = lastIds.get(app.name);
    return missedFires(app, id === undefined ? undefined : dateOf(id));
  });
}

/** The files that a run left to read, sorted by name. @throws ModalError */
export async function readRemoteLogs(
  { client, environment, volume }: RunsVolume,
  { changeling, id }: RunKey,
): Promise<{ file: string; text: string }[]> {
  const files = await client.files(volume, environment, `${changeling}/${id}`);
  const logs = files.flatMap(({ path, bytes }) => (path.endsWith(".log") && bytes <= maxLogBytes ? path : [])).sort();
  const texts = await inParallel(logs, modalWidth, (path) => client.readFile(volume, environment, path));
  return logs.map((path, index) => ({ file: baseOf(path), text: plainWords(texts[index] ?? "") }));
}

/** Changelings with records, and the ids of their runs that have a folder, oldest first. */
async function recordedChangelings(
  { client, environment, volume }: RunsVolume,
  name?: string,
): Promise<{ changeling: string; ids: string[]; hasHistory: boolean }[]> {
  const folders = (await client.files(volume, environment, "/")).filter(({ isFolder }) => isFolder);
  const names = folders.map(({ path }) => path).filter((path) => name === undefined || path === name);
  return inParallel(names, modalWidth, async (changeling) => {
    const entries = await client.files(volume, environment, changeling);
    const ids = entries.flatMap(({ path, isFolder }) =>
      isFolder && isIdOf(baseOf(path), changeling) ? baseOf(path) : [],
    );
    const hasHistory = entries.some(({ path, bytes }) => baseOf(path) === "history.jsonl" && bytes <= maxHistoryBytes);
    return { changeling, ids: ids.sort(), hasHistory };
  });
}

async function readLines({ client, environment, volume }: RunsVolume, place: RunKey): Promise<RunLine[]> {
  const folder = `${place.changeling}/${place.id}`;
  const files = await client.files(volume, environment, folder);
  const recorded = events.filter((event) =>
    files.some(({ path, bytes }) => path === `${folder}/${event}.json` && bytes <= maxRecordBytes),
  );
  const texts = await Promise.all(
    recorded.map((event) => client.readFile(volume, environment, `${folder}/${event}.json`)),
  );
  const lines = texts.map((text) => recordOf(text ?? "", place.changeling));
  return lines.flatMap((line, index) => (line?.event === recorded[index] && line?.id === place.id ? [line] : []));
}

async function readHistory({ client, environment, volume }: RunsVolume, changeling: string): Promise<RunLine[]> {
  const text = (await client.readFile(volume, environment, `${changeling}/history.jsonl`)) ?? "";
  return text.split("\n").flatMap((line) => recordOf(line, changeling) ?? []);
}

function recordOf(text: string, changeling: string): RunLine | undefined {
  const line = parseLine(inOneLine(text));
  if (line === undefined || line.event === "queued") return undefined;
  const isValid = line.changeling === changeling && isIdOf(line.id, changeling) && isTime(new Date(line.at));
  return isValid ? line : undefined;
}

/** Keeps a record's texts to one line each, so that a table can show them. */
function inOneLine(json: string): string {
  try {
    const plain = (_key: string, value: unknown) =>
      typeof value === "string" ? plainWords(value).replace(/\s+/g, " ") : value;
    return JSON.stringify(JSON.parse(json, plain));
  } catch {
    return "";
  }
}

/** @param history lines of older runs; where they overlap with the recent lines, the history wins */
function foldedRuns(
  history: readonly RunLine[],
  recent: readonly RunLine[],
  timeoutSeconds: Timeouts,
  now: Date = new Date(),
): RecordedRun[] {
  const known = new Set(history.map(({ id }) => id));
  const lines = [...history, ...recent.filter(({ id }) => !known.has(id))];
  const created = new Map(lines.flatMap((line) => (line.event === "created" ? [[line.id, line.at]] : [])));
  return foldRuns(lines).map((run) => judged(run, created.get(run.id), timeoutSeconds(run.changeling), now));
}

function judged(run: RecordedRun, createdAt: string | undefined, timeout = longestSeconds, now: Date): RecordedRun {
  if (run.outcome !== undefined) return run;
  const seconds = timeout + marginSeconds + (createdAt === undefined ? createSeconds : 0);
  const over = new Date(Date.parse(createdAt ?? run.firedAt) + seconds * 1000);
  if (!(over < now)) return run;
  return {
    ...run,
    outcome: "timed_out",
    endedAt: over.toISOString(),
    durationSeconds: (over.getTime() - Date.parse(run.firedAt)) / 1000,
    reason: createdAt === undefined ? "its agent never reported" : `it did not report its end within its ${timeout} s`,
  };
}

function isIdOf(id: string, changeling: string): boolean {
  if (!id.startsWith(`${changeling}-`) || !/^\d{4}(-\d\d){5}$/.test(id.slice(changeling.length + 1))) return false;
  return isTime(dateOf(id));
}

function isTime(date: Date): boolean {
  return !Number.isNaN(date.getTime());
}

/** The time in a run's id; as text it sorts chronologically. */
function timeOf(id: string): string {
  return id.slice(-"YYYY-MM-DD-HH-MM-SS".length);
}

function dateOf(id: string): Date {
  const [year, month, day, ...time] = timeOf(id).split("-");
  return new Date(`${year}-${month}-${day}T${time.join(":")}Z`);
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
