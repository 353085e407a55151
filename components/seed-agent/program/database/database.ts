/**
 * One SQL dialect for SQLite and PostgreSQL: positional parameters `$1`, TEXT, BIGINT, DOUBLE PRECISION, ON CONFLICT,
 * RETURNING, and a function `seed_now()` for the database's clock. JSON is TEXT. Times are BIGINT, in ms since 1970.
 */
export interface Database extends Queryable {
  /**
   * Only one transaction of a `scope` runs at a time, across all nodes. It is rolled back if `run` rejects, and repeated
   * if the database requires that, so `run` must have no other effects, and must use only its parameter.
   */
  transaction<Result>(scope: Scope, run: (database: Queryable) => Promise<Result>): Promise<Result>;
  /** Calls back soon after any node called `notify`, and every few seconds, because a notification may be missed. */
  subscribe(onChange: () => void): () => void;
  /** Runs `lead` while no other node leads in the role. See `Store.leading`. */
  leading<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined>;
  close(): Promise<void>;
}

export interface Queryable {
  readonly kind: "sqlite" | "postgres";
  /** @throws StoreUnavailable */
  readonly query: <Row>(sql: string, parameters?: readonly Value[]) => Promise<readonly Row[]>;
  /** Notifies the subscribers on all nodes; in a transaction, after its commit. */
  readonly notify: () => Promise<void>;
}

/**
 * Transactions of one scope run one after another. Requests wait for `state`, nobody waits for `recordings`, and `queue` is
 * for all other transactions.
 */
export type Scope = "schema" | "queue" | "state" | "recordings";

export type Value = string | number | null;

/** The database can't be reached. The call may be repeated later. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** How often subscribers are called without a notification, in ms. */
export const pollMilliseconds = 5000;
