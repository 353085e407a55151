import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicClock } from "./clock.ts";
import {
  type Database,
  pollMilliseconds,
  type Queryable,
  type Scope,
  StoreUnavailable,
  type Value,
} from "./database.ts";
import { Roles } from "./roles.ts";
import { Turns } from "./turns.ts";

/**
 * The database of a single node: SQLite, from Node itself. Not PGlite (PostgreSQL in WebAssembly), although its SQL would
 * be PostgreSQL's own: PGlite writes to the files of a PostgreSQL without its lock, so two processes destroy them, and a
 * `kill -9` is followed by a recovery in which nobody but PGlite uses that code. SQLite's journal is made for both, it
 * costs no memory worth mentioning, and needs no package.
 */
export interface SqliteOptions {
  readonly file: string;
  /** How long to wait for another process that has it, which may be about to end. */
  readonly openMilliseconds?: number;
  /** For tests: ms since 1970, and a clock that is never set. */
  readonly wallClock?: () => number;
  readonly steadyClock?: () => number;
}

/** Primary result codes, https://www.sqlite.org/rescode.html */
const busy = 5;
/** The file can't be used any more; opening it again may help. */
const broken: ReadonlySet<number> = new Set([8, 10, 11, 14, 26]);
const full = 13;

const mostStatements = 200;

/** The connection is opened by the first query, and again after the file could not be used. */
export class SqliteDatabase implements Database {
  readonly kind = "sqlite";
  readonly #options: SqliteOptions;
  readonly #clock: () => number;
  readonly #roles = new Roles();
  readonly #subscribers = new Set<() => void>();
  readonly #statements = new Map<string, StatementSync>();
  #connection: DatabaseSync | undefined;
  #isClosed = false;
  /** There is one connection: what uses it takes turns. */
  readonly #turns = new Turns();

  constructor(options: SqliteOptions) {
    this.#options = options;
    this.#clock = monotonicClock(options.wallClock, options.steadyClock);
  }

  readonly query: Queryable["query"] = <Row>(sql: string, parameters: readonly Value[] = []) =>
    this.#inTurn(async () => this.#run<Row>(sql, parameters));

  readonly notify: Queryable["notify"] = async () => {
    for (const onNews of this.#subscribers) queueMicrotask(onNews);
  };

  transaction<Result>(scope: Scope, run: (database: Queryable) => Promise<Result>): Promise<Result> {
    return this.#inTurn(async () => {
      let hasNews = false;
      const inside: Queryable = {
        kind: this.kind,
        query: async <Row>(sql: string, parameters: readonly Value[] = []) => this.#run<Row>(sql, parameters),
        notify: async () => {
          hasNews = true;
        },
      };
      // A sync stops this process for some milliseconds. A recording that a loss of power takes along is no loss.
      const isRelaxed = scope === "recordings";
      if (isRelaxed) this.#run("PRAGMA synchronous = NORMAL", []);
      try {
        this.#run("BEGIN IMMEDIATE", []);
        const result = await run(inside);
        this.#run("COMMIT", []);
        if (hasNews) await this.notify();
        return result;
      } catch (error) {
        // A full disk may have rolled it back already.
        if (this.#connection?.isTransaction) this.#run("ROLLBACK", []);
        throw error;
      } finally {
        if (isRelaxed && this.#connection !== undefined) this.#run("PRAGMA synchronous = FULL", []);
      }
    });
  }

  subscribe(onNews: () => void): () => void {
    // No reference may be shared: the same function can subscribe twice.
    const subscriber = () => onNews();
    this.#subscribers.add(subscriber);
    const timer = setInterval(subscriber, pollMilliseconds).unref();
    return () => {
      this.#subscribers.delete(subscriber);
      clearInterval(timer);
    };
  }

  leading<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined> {
    return this.#roles.lead(role, lead);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#roles.close();
    this.#subscribers.clear();
    await this.#turns.ended();
    this.#disconnect();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#turns.take(async () => {
      await this.#connect();
      return await work();
    });
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) throw new StoreUnavailable("the store is closed");
    if (this.#connection !== undefined) return;
    const { file, openMilliseconds = 10_000 } = this.#options;
    for (const end = performance.now() + openMilliseconds; ; await sleep(50)) {
      try {
        this.#connection = connect(file, this.#clock);
        return;
      } catch (error) {
        if (resultCode(error) !== busy) throw unavailable(error, file);
        if (performance.now() < end) continue;
        const problem = "another process has it open, and a node uses its database alone";
        throw new StoreUnavailable(
          `${file}: ${problem}. Stop the other process, or give this one a folder of its own.`,
        );
      }
    }
  }

  #disconnect(): void {
    this.#statements.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection?.isOpen) connection.close();
  }

  #run<Row>(sql: string, parameters: readonly Value[]): readonly Row[] {
    try {
      const statement = this.#statements.get(sql) ?? this.#prepare(sql);
      const named = Object.fromEntries(parameters.map((value, index) => [`$${index + 1}`, value]));
      // The caller knows the columns that it asked for.
      return statement.all(named) as readonly Record<string, SQLOutputValue>[] as readonly Row[];
    } catch (error) {
      const code = resultCode(error);
      if (code !== undefined && broken.has(code)) this.#disconnect();
      throw unavailable(error, this.#options.file);
    }
  }

  #prepare(sql: string): StatementSync {
    if (this.#connection === undefined) throw new StoreUnavailable(`${this.#options.file} could not be used`);
    const statement = this.#connection.prepare(sql);
    // Lists of parameters have many lengths.
    if (this.#statements.size >= mostStatements) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  }
}

function connect(file: string, clock: () => number): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // It may hold what people sent to the agent. SQLite gives its journal the same mode.
  closeSync(openSync(file, "a", 0o600));
  const sqlite = process.getBuiltinModule("node:sqlite");
  const connection = new sqlite.DatabaseSync(file);
  try {
    // An exclusive lock, which the kernel releases when this process ends: a second process would undo what the first
    // one decided. It also does without shared memory, which not every volume has.
    connection.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    connection.exec("PRAGMA journal_size_limit = 16777216; BEGIN EXCLUSIVE; COMMIT");
    connection.function("seed_now", clock);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function resultCode(error: unknown): number | undefined {
  const isOfSqlite = error instanceof Error && "errcode" in error && typeof error.errcode === "number";
  return isOfSqlite ? Number(error.errcode) & 0xff : undefined;
}

/** @returns the error, or one that says that the file, not the statement, is the problem */
function unavailable(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error;
  const code = resultCode(error);
  const isOfSystem = "syscall" in error;
  if (!isOfSystem && (code === undefined || (code !== busy && code !== full && !broken.has(code)))) return error;
  return new StoreUnavailable(`${file} could not be used: ${error.message}`, { cause: error });
}
