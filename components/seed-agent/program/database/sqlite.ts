import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { SerialQueue } from "../serial-queue.ts";
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

export interface SqliteOptions {
  readonly file: string;
  /** How long to wait for another process that has the file open, and may be about to end. */
  readonly openMilliseconds?: number;
  /** For tests: ms since 1970, and a clock that is never set back. */
  readonly wallClock?: () => number;
  readonly steadyClock?: () => number;
}

/** Primary result codes, https://www.sqlite.org/rescode.html */
const busy = 5;
/** The file can't be used any more. Opening it again may help. */
const broken: ReadonlySet<number> = new Set([8, 10, 11, 14, 26]);
const full = 13;

const maxStatements = 200;

/**
 * The database of a single node: Node's own SQLite. The first query opens the connection, and the next one after a failure
 * of the file opens it again.
 *
 * Why not PGlite (PostgreSQL in WebAssembly), which has the same SQL as PostgreSQL: it takes no lock, so two processes
 * destroy its files, and only PGlite uses its code for the recovery after a `kill -9`. SQLite's journal is made for both.
 */
export class SqliteDatabase implements Database {
  readonly kind = "sqlite";
  readonly #options: SqliteOptions;
  readonly #clock: () => number;
  readonly #roles = new Roles();
  readonly #subscribers = new Set<() => void>();
  readonly #statements = new Map<string, StatementSync>();
  #connection: DatabaseSync | undefined;
  #isClosed = false;
  /** There is one connection, so only one piece of work uses it at a time. */
  readonly #queue = new SerialQueue();

  constructor(options: SqliteOptions) {
    this.#options = options;
    this.#clock = monotonicClock(options.wallClock, options.steadyClock);
  }

  readonly query: Queryable["query"] = <Row>(sql: string, parameters: readonly Value[] = []) =>
    this.#inTurn(async () => this.#run<Row>(sql, parameters));

  readonly notify: Queryable["notify"] = async () => {
    for (const onChange of this.#subscribers) queueMicrotask(onChange);
  };

  transaction<Result>(scope: Scope, run: (database: Queryable) => Promise<Result>): Promise<Result> {
    return this.#inTurn(async () => {
      let hasNotified = false;
      const inside: Queryable = {
        kind: this.kind,
        query: async <Row>(sql: string, parameters: readonly Value[] = []) => this.#run<Row>(sql, parameters),
        notify: async () => {
          hasNotified = true;
        },
      };
      // A sync blocks this process for some milliseconds. Recordings may be lost when the power fails.
      const isRelaxed = scope === "recordings";
      if (isRelaxed) this.#run("PRAGMA synchronous = NORMAL", []);
      try {
        this.#run("BEGIN IMMEDIATE", []);
        const result = await run(inside);
        this.#run("COMMIT", []);
        if (hasNotified) await this.notify();
        return result;
      } catch (error) {
        // SQLite may have rolled it back itself, for instance because the disk is full.
        if (this.#connection?.isTransaction) this.#run("ROLLBACK", []);
        throw error;
      } finally {
        if (isRelaxed && this.#connection !== undefined) this.#run("PRAGMA synchronous = FULL", []);
      }
    });
  }

  subscribe(onChange: () => void): () => void {
    // A new function each time, because the same one may subscribe twice.
    const subscriber = () => onChange();
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
    await this.#queue.idle();
    this.#disconnect();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(async () => {
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
        const problem = "another process has it open, and only one process can use it";
        throw new StoreUnavailable(
          `${file}: ${problem}. Stop the other process, or set another SEED_DATA_DIR for this one.`,
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
      // The caller knows the columns that it selects.
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
    // Statements with lists of parameters exist in many lengths.
    if (this.#statements.size >= maxStatements) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  }
}

function connect(file: string, clock: () => number): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // The database may contain requests of people. SQLite gives its journal the same mode.
  closeSync(openSync(file, "a", 0o600));
  const sqlite = process.getBuiltinModule("node:sqlite");
  const connection = new sqlite.DatabaseSync(file);
  try {
    // An exclusive lock, which the kernel releases when this process ends. It keeps a second process from undoing the
    // decisions of the first, and needs no shared memory, which some volumes lack.
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

/** @returns StoreUnavailable if the file is the problem, not the statement; else the error itself */
function unavailable(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error;
  const code = resultCode(error);
  const isOfSystem = "syscall" in error;
  if (!isOfSystem && (code === undefined || (code !== busy && code !== full && !broken.has(code)))) return error;
  return new StoreUnavailable(`${file} could not be used: ${error.message}`, { cause: error });
}
