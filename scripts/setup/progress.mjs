// @ts-check
// Progress goes to stderr, so that a command's own output can be piped.

/** What went wrong in setup, with what to do about it. `log` is a file with the output of the program that failed. */
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
 * Says what is being done and for how long while `work` runs: one live line on a terminal,
 * else a line at the start, every 30 seconds and at the end.
 * @template T
 * @param {string} title for instance "Building the Pulumi CLI 3.258.0 from source (about 8 minutes, once)"
 * @param {() => Promise<T>} work
 * @param {{ isTTY?: boolean | undefined, write(text: string): unknown }} [out]
 * @returns {Promise<T>}
 */
export async function step(title, work, out = process.stderr) {
  const start = Date.now();
  const took = () => duration(Date.now() - start);
  const live = out.isTTY === true;
  out.write(live ? `${title} …` : `${title} …\n`);
  const timer = setInterval(
    () => out.write(live ? `\r\x1b[K${title} … ${took()}` : `${title} … ${took()}\n`),
    live ? 1_000 : 30_000,
  );
  timer.unref();
  try {
    const result = await work();
    out.write(live ? `\r\x1b[K${title}: done in ${took()}\n` : `${title}: done in ${took()}\n`);
    return result;
  } catch (error) {
    out.write(live ? `\r\x1b[K${title}: not done, after ${took()}\n` : `${title}: not done, after ${took()}\n`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
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
