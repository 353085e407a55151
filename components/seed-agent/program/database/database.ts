/**
 * One dialect for SQLite and PostgreSQL: positional parameters `$1`, TEXT, BIGINT, DOUBLE PRECISION, ON CONFLICT,
 * RETURNING, and a function `seed_now()`, the database's clock. JSON is TEXT. Times are BIGINT, in ms since 1970.
 */
export interface Database extends Queryable {
  /**
   * Only one transaction of the same `scope` runs at a time, on all nodes together. It is rolled back if `run` rejects,
   * and repeated if the database asks for that, so `run` has no other effects. `run` must use its parameter only.
   */
  transaction<Result>(scope: Scope, run: (database: Queryable) => Promise<Result>): Promise<Result>;
  /** Calls back soon after any node called `notify`, and now and then without it, as news may be missed. */
  subscribe(onNews: () => void): () => void;
  /** Runs `lead` while no other node runs one of the same role. See `Store.leading`. */
  leading<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined>;
  close(): Promise<void>;
}

export interface Queryable {
  readonly kind: "sqlite" | "postgres";
  /** @throws StoreUnavailable */
  readonly query: <Row>(sql: string, parameters?: readonly Value[]) => Promise<readonly Row[]>;
  /** Notifies the subscribers on all nodes; in a transaction, once it is committed. */
  readonly notify: () => Promise<void>;
}

/**
 * What takes turns with itself. `queue`: all but the state of the agent's code, which requests wait for, and recordings,
 * for which nobody waits.
 */
export type Scope = "schema" | "queue" | "state" | "recordings";

export type Value = string | number | null;

/** The database can't be reached; what is known remains valid, and the call may be repeated later. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** How often subscribers are called without news, in ms. */
export const pollMilliseconds = 5000;
