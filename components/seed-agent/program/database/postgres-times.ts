/** In ms. */
export interface PostgresTimes {
  /** Until a connection is made. */
  readonly connect: number;
  /** Of one statement, with its wait for locks. */
  readonly statement: number;
  /** Between reconnections. */
  readonly shortestWait: number;
  readonly longestWait: number;
  /** How often a leader looks whether its connection is alive, and how long it waits for the answer. */
  readonly heartbeat: number;
  /** After this silence PostgreSQL ends a leader's connection: longer than two heartbeats. */
  readonly session: number;
}

export const usualTimes: PostgresTimes = {
  connect: 5000,
  statement: 5000,
  shortestWait: 100,
  longestWait: 5000,
  heartbeat: 3000,
  session: 15_000,
};

/** @returns how long to wait after this many failures, in ms */
export function backoff(failures: number, { shortestWait, longestWait }: PostgresTimes): number {
  return Math.min(longestWait, shortestWait * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
}
