/**
 * One dialect for SQLite and PostgreSQL: positional parameters `$1`, TEXT, BIGINT, DOUBLE PRECISION, ON CONFLICT,
 * RETURNING. JSON is TEXT. Times are BIGINT, in ms since 1970.
 */
export interface Database {
  readonly kind: "sqlite" | "postgres";
  query<Row>(sql: string, parameters?: readonly Value[]): Promise<readonly Row[]>;
  /** Serializable. Is repeated if it could not be serialized, so it has no other effects. */
  transaction<Result>(run: (database: Queryable) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

export type Queryable = Pick<Database, "kind" | "query">;
export type Value = string | number | null;
