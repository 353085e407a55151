/** Times in ms. */
export interface PostgresTimes {
  /** The limit for making a connection. */
  readonly connect: number;
  /** The limit of one statement, including its wait for locks. */
  readonly statement: number;
  /** The pauses between attempts to reconnect. */
  readonly shortestWait: number;
  readonly longestWait: number;
  /** How often a leader checks that its connection is alive, and how long it waits for the answer. */
  readonly heartbeat: number;
  /** PostgreSQL ends a leader's connection that is silent for this long. Must be longer than two heartbeats. */
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
