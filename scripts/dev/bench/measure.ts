import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What a program used, in seconds. */
export interface Spent {
  readonly wall: number;
  /** Of the program and of all programs that it started and waited for. Other load on the machine hardly changes it. */
  readonly processor: number;
}

/** @throws if the program does not exit with 0 */
export async function spentBy(command: string, args: readonly string[], place: Place): Promise<Spent> {
  const started = performance.now();
  // The second line of the shell's `times` is about its children.
  const script = '"$@"; code=$?; times >&3; exit $code';
  const child = spawn("sh", ["-c", script, "sh", command, ...args], {
    ...place,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let output = "";
  let times = "";
  const [, stdout, stderr, report] = child.stdio;
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  report?.on("data", (text: Buffer) => {
    times += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} exited with ${code}:\n${output.slice(-2000)}`);
  return { wall: (performance.now() - started) / 1000, processor: secondsInTimes(times) };
}

/** Wall time of one whole process in seconds. @throws if it does not exit with 0 */
export async function timed(command: string, args: readonly string[], place: Place): Promise<number> {
  return (await spentBy(command, args, place)).wall;
}

/** @param times what the shell's `times` printed: user and system time of the shell, then of its children */
export function secondsInTimes(times: string): number {
  const children = times.trim().split("\n")[1] ?? "";
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  if (parts.length !== 2) throw new Error(`the shell's times are not understood: ${times}`);
  return parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

/** Runs the two in turn, so that drifting machine speed favors neither. Returns medians in seconds. */
export async function inTurn(rounds: number, ours: () => Promise<number>, other: () => Promise<number>) {
  const times = await alternately(rounds, ours, other);
  return { ours: median(times.ours), other: median(times.other) };
}

/** The same, with the processor time beside the wall time. */
export async function spentInTurn(rounds: number, ours: () => Promise<Spent>, other: () => Promise<Spent>) {
  const all = await alternately(rounds, ours, other);
  const medians = (spent: readonly Spent[]): Spent => ({
    wall: median(spent.map(({ wall }) => wall)),
    processor: median(spent.map(({ processor }) => processor)),
  });
  return { ours: medians(all.ours), other: medians(all.other) };
}

async function alternately<T>(rounds: number, ours: () => Promise<T>, other: () => Promise<T>) {
  const all: { ours: T[]; other: T[] } = { ours: [], other: [] };
  for (let round = 0; round < rounds; round++) {
    all.ours.push(await ours());
    all.other.push(await other());
  }
  return all;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** @param share for instance 0.99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line of the report: what was measured, against what, and the limit. */
export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ratio" | "s" | "ms" | "MB" | "per minute";
  readonly bar: number;
  /** The figures behind a ratio. */
  readonly detail?: string;
}

/** @param times in seconds, for `divisor` of the same */
export function ratio(
  name: string,
  times: { readonly ours: number; readonly other: number },
  bar: number,
  of: string,
  divisor = 1,
): Measure {
  const ms = (seconds: number) => `${((seconds * 1000) / divisor).toFixed(1)} ms`;
  const detail = `${ms(times.ours)} against ${ms(times.other)} of ${of}`;
  return { name, value: times.ours / times.other, unit: "ratio", bar, detail };
}

export function measureText({ name, value, unit, bar, detail }: Measure): string {
  const verdict = value <= bar ? "ok  " : "OVER";
  const text = `${value.toFixed(2)}${unit === "ratio" ? "x" : ` ${unit}`} (bar ${bar}${unit === "ratio" ? "x" : ""})`;
  return `${verdict}  ${name}: ${text}${detail === undefined ? "" : `  [${detail}]`}`;
}

/** A port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
