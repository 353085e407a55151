import { spawn } from "node:child_process";

/** Wall time of one whole process in seconds. @throws if it does not exit with 0 */
export async function timed(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
) {
  const started = performance.now();
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} exited with ${code}:\n${output.slice(-2000)}`);
  return (performance.now() - started) / 1000;
}

/** Runs the two in turn, so that drifting machine speed favors neither. Returns medians in seconds. */
export async function inTurn(rounds: number, ours: () => Promise<number>, other: () => Promise<number>) {
  const times: { ours: number[]; other: number[] } = { ours: [], other: [] };
  for (let round = 0; round < rounds; round++) {
    times.ours.push(await ours());
    times.other.push(await other());
  }
  return { ours: median(times.ours), other: median(times.other) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** One line of the report: what was measured, against what, and the limit. */
export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ratio" | "s" | "MB" | "per minute";
  readonly bar: number;
  /** The figures behind a ratio. */
  readonly detail?: string;
}

export function measureText({ name, value, unit, bar, detail }: Measure): string {
  const verdict = value <= bar ? "ok  " : "OVER";
  const text = `${value.toFixed(2)}${unit === "ratio" ? "x" : ` ${unit}`} (bar ${bar}${unit === "ratio" ? "x" : ""})`;
  return `${verdict}  ${name}: ${text}${detail === undefined ? "" : `  [${detail}]`}`;
}
