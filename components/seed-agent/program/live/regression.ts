import type { Statistics } from "./statistics.ts";

/** The values that probation compares between a version and the one before it. */
export interface Observation {
  readonly statistics: Statistics;
  /** Resident memory of its process, in bytes. */
  readonly memory: number;
  /** Whether each of the version's own checks is ok, by name. */
  readonly checks: ReadonlyMap<string, boolean>;
}

/** With fewer failures, a comparison means nothing. */
const minErrors = 3;
const mebibyte = 1024 ** 2;

/**
 * Compares a new version with the one before it, but for its speed (`Slowness`).
 *
 * @param memoryLimit in bytes, at which its process is killed
 * @returns why the new version is worse; undefined if it is not
 */
export function regression(now: Observation, before: Observation, memoryLimit: number): string | undefined {
  return errors(now, before) ?? memory(now, before, memoryLimit) ?? checks(now, before);
}

function errors({ statistics: now }: Observation, { statistics: before }: Observation): string | undefined {
  if (now.errors < minErrors) return undefined;
  if (share(now) <= 2 * share(before) + 0.05) return undefined;
  return `${now.errors} of ${now.requests} requests failed (before: ${before.errors} of ${before.requests})`;
}

function share({ requests, errors }: Statistics): number {
  return requests === 0 ? 0 : errors / requests;
}

function memory(now: Observation, before: Observation, limit: number): string | undefined {
  const isNearLimit = now.memory > 0.85 * limit;
  const hasGrown = before.memory > 0 && now.memory > 2 * before.memory + 64 * mebibyte;
  if (!isNearLimit && !hasGrown) return undefined;
  const [used, former] = [now.memory, before.memory].map((bytes) => Math.round(bytes / mebibyte));
  return `it uses ${used} MiB of memory (before: ${former} MiB; the limit is ${Math.round(limit / mebibyte)} MiB)`;
}

/** Ignores checks that already failed with the version before. */
function checks(now: Observation, before: Observation): string | undefined {
  const failing = [...now.checks].filter(([name, ok]) => !ok && before.checks.get(name) !== false);
  if (failing.length === 0) return undefined;
  return `its check fails: ${failing.map(([name]) => name).join(", ")}`;
}
