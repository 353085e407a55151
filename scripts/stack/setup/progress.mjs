// @ts-check
// Progress goes to stderr, so that a command's own output can be piped.

/** An error of setup, with its remedy. `log` is a file with the output of the program that failed. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {{ remedy?: string, log?: string }} [details]
   */
  constructor(message, { remedy, log } = {}) {
    super(message);
    this.name = "SetupError";
    this.remedy = remedy;
    this.log = log;
  }
}

/**
 * @typedef {{ isTTY?: boolean | undefined, columns?: number | undefined, write(text: string): unknown }} Out
 * @typedef {{ title: string, start: number, fraction: () => number | null, first: { at: number, fraction: number } | null }} Running
 */

/** The running steps, in the order of their start. Steps may run in parallel. @type {WeakMap<Out, Set<Running>>} */
const runningOn = new WeakMap();

/**
 * Reports progress and elapsed time while `work` runs: on a terminal as one live line for all running steps, else as a
 * line at the start, every 30 seconds and at the end.
 * @template T
 * @param {string} title for instance "Installing the npm packages"
 * @param {() => Promise<T>} work
 * @param {{ out?: Out, fraction?: () => number | null }} [options] `fraction` is the finished part of the work, from 0
 *   to 1, if known: it yields an estimate of the time left
 * @returns {Promise<T>}
 */
export async function step(title, work, { out = process.stderr, fraction = () => null } = {}) {
  const running = runningOn.get(out) ?? new Set();
  runningOn.set(out, running);
  const live = out.isTTY === true;
  /** @type {Running} */
  const self = { title, start: Date.now(), fraction, first: null };
  running.add(self);
  const show = () => {
    if (!live) out.write(`${textOf(self)}\n`);
    // One step updates the line for all of them.
    else if (running.values().next().value === self) showLine(out, running);
  };
  if (live) showLine(out, running);
  else out.write(`${title} …\n`);
  const timer = setInterval(show, live ? 1_000 : 30_000);
  timer.unref();
  /** @param {string} end */
  const finish = (end) => {
    clearInterval(timer);
    running.delete(self);
    out.write(`${live ? "\r\x1b[K" : ""}${title}: ${end} ${duration(Date.now() - self.start)}\n`);
    if (live && running.size > 0) showLine(out, running);
  };
  try {
    const result = await work();
    finish("done in");
    return result;
  } catch (error) {
    finish("not done, after");
    throw error;
  }
}

/** @param {Out} out @param {Set<Running>} running */
function showLine(out, running) {
  const line = [...running].map(textOf).join(" · ");
  // A line that wraps can't be overwritten.
  const width = (out.columns ?? 80) - 1;
  out.write(`\r\x1b[K${line.length > width ? `${line.slice(0, width - 1)}…` : line}`);
}

/** "Building … 1m30s, 45 %, about 1m50s left". @param {Running} step */
function textOf(step) {
  const now = Date.now();
  const took = now - step.start < 1_000 ? "" : ` ${duration(now - step.start)}`;
  return `${step.title} …${took}${estimate(step, now)}`;
}

/**
 * Estimates the time left from the pace since the first known fraction, in steps of ten seconds.
 * @param {Running} step @param {number} now
 */
function estimate(step, now) {
  const fraction = step.fraction();
  if (fraction === null) return "";
  step.first ??= { at: now, fraction };
  const percent = `, ${Math.floor(fraction * 100)} %`;
  const gained = fraction - step.first.fraction;
  if (gained < 0.03) return percent;
  const left = ((now - step.first.at) / gained) * (1 - fraction);
  return `${percent}, about ${duration(Math.max(10_000, Math.round(left / 10_000) * 10_000))} left`;
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${process.stderr.isTTY === true ? "\r\x1b[K" : ""}${text}\n`);
}

/**
 * "8s", "3m12s", "1h02m".
 * @param {number} milliseconds
 */
export function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}m`;
}
