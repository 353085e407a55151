import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type ClientConfig, Pool, type PoolClient, types } from "pg";
import { asError, messageOf } from "../../../lib/as-error.ts";
import { SerialQueue } from "../serial-queue.ts";
import { type Database, type Queryable, type Scope, StoreUnavailable, type Value } from "./database.ts";
import { Listener } from "./listener.ts";
import { backoff, type PostgresTimes, usualTimes } from "./postgres-times.ts";

export interface PostgresOptions {
  readonly url: string;
  readonly times?: Partial<PostgresTimes>;
}

/** The first halves of the keys of advisory locks. All users of a database share them. */
const transactions = 0x5eed_01;
const roles = 0x5eed_02;
const scopes: Readonly<Record<Scope, number>> = { schema: 1, queue: 2, state: 3, recordings: 4 };

const bigint = types.builtins.INT8;

/** SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const mayBeRepeated: ReadonlySet<string> = new Set(["40001", "40P01"]);
/** Errors of the database, not of the statement. Tables are undefined if the database was replaced. */
const ofDatabase = /^(08|28|3D|53|57|58|40)|^(25006|42501|55P03|42P01|42883|3F000)$/;
const maxAttempts = 5;

/**
 * PostgreSQL 14 and later, for several nodes. An advisory lock lets transactions of one scope run one after another, as in
 * SQLite. So each reads what the one before it wrote, none has to be repeated, and the clock never goes back between them.
 */
export class PostgresDatabase implements Database {
  readonly kind = "postgres";
  readonly #config: ClientConfig;
  readonly #times: PostgresTimes;
  readonly #pool: Pool;
  readonly #listener: Listener;
  readonly #where: string;
  readonly #queues: Readonly<Record<Scope, SerialQueue>> = {
    schema: new SerialQueue(),
    queue: new SerialQueue(),
    state: new SerialQueue(),
    recordings: new SerialQueue(),
  };
  readonly #leaders = new Set<AbortController>();
  #failures = 0;
  /** Until then, calls fail at once, so that requests don't wait one after another for an unreachable database. */
  #retryAt = 0;
  #lastProblem = "";
  #isClosed = false;

  constructor({ url, times = {} }: PostgresOptions) {
    this.#times = { ...usualTimes, ...times };
    this.#where = describe(url);
    const { connect, statement } = this.#times;
    this.#config = {
      ...{ connectionString: url, application_name: "seed-agent", keepAlive: true, connectionTimeoutMillis: connect },
      ...{ statement_timeout: statement, lock_timeout: statement, idle_in_transaction_session_timeout: 2 * statement },
      // PostgreSQL ends a statement before that, unless it or the network hangs.
      query_timeout: 1.5 * statement,
      types: {
        getTypeParser: (oid: number, format?: "text" | "binary") =>
          oid === bigint ? Number : types.getTypeParser(oid, format === "binary" ? "text" : format),
      },
    };
    this.#pool = new Pool({ ...this.#config, max: 10, idleTimeoutMillis: 30_000 });
    // An unused connection has failed. The pool has removed it already.
    this.#pool.on("error", () => undefined);
    this.#listener = new Listener(
      () => this.#client(),
      this.#times,
      () => this.#reset(),
    );
  }

  readonly query: Queryable["query"] = async <Row>(sql: string, parameters: readonly Value[] = []) => {
    const client = await this.#connect();
    return await this.#using(client, () => this.#run<Row>(client, sql, parameters));
  };

  readonly notify: Queryable["notify"] = async () => {
    await this.query(notification);
  };

  async transaction<Result>(scope: Scope, run: (database: Queryable) => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        // Transactions of this node queue before they take a connection, or they would occupy the whole pool.
        return await this.#queues[scope].run(() => this.#transactionOnce(scope, run));
      } catch (error) {
        const cause = error instanceof StoreUnavailable ? error.cause : error;
        if (attempt === maxAttempts || !mayBeRepeated.has(stateOf(cause) ?? "")) throw error;
        await sleep(Math.random() * 20 * 2 ** attempt);
      }
    }
  }

  subscribe(onChange: () => void): () => void {
    return this.#listener.subscribe(onChange);
  }

  /**
   * The lock belongs to the connection. If the connection hangs, this node notices first, by its heartbeat, and PostgreSQL
   * later, by the missing heartbeats. So this node has stopped leading before the next leader begins.
   */
  async leading<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined> {
    const { heartbeat, session } = this.#times;
    const controller = new AbortController();
    const client = this.#client();
    const lose = (error: unknown) => controller.abort(this.#unavailable(error));
    client.on("error", lose);
    client.on("end", () => lose(new Error("the connection of the leader has ended")));
    let timer: NodeJS.Timeout | undefined;
    this.#leaders.add(controller);
    try {
      await client.connect();
      await client.query(`SET idle_session_timeout = ${session}`);
      const lock = await client.query("SELECT pg_try_advisory_lock($1, $2) AS held", [roles, keyOf(role)]);
      if (lock.rows[0]?.held !== true || this.#isClosed) return undefined;
      const beat = { text: "SELECT 1", query_timeout: heartbeat };
      timer = setInterval(() => client.query(beat).catch(lose), heartbeat).unref();
    } catch (error) {
      throw this.#unavailable(error);
    } finally {
      if (timer === undefined) this.#abandon(client, controller);
    }
    try {
      return await lead(controller.signal);
    } finally {
      clearInterval(timer);
      this.#abandon(client, controller);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const controller of this.#leaders) controller.abort(new StoreUnavailable("the store is closed"));
    this.#listener.close();
    await this.#pool.end();
  }

  #client(): Client {
    return new Client(this.#config);
  }

  /** Ends the connection, which releases its locks. */
  #abandon(client: Client, controller: AbortController): void {
    this.#leaders.delete(controller);
    client.removeAllListeners("end");
    client.end().catch(() => undefined);
  }

  async #transactionOnce<Result>(scope: Scope, run: (database: Queryable) => Promise<Result>): Promise<Result> {
    const client = await this.#connect();
    return await this.#using(client, async () => {
      const query: Queryable["query"] = (sql, parameters = []) => this.#run(client, sql, parameters);
      const lock = `SELECT pg_advisory_xact_lock(${transactions}, ${scopes[scope]})`;
      await this.#run(client, `BEGIN ISOLATION LEVEL READ COMMITTED; ${lock}`);
      const notify = async () => {
        await query(notification);
      };
      const result = await run({ kind: this.kind, query, notify });
      await this.#run(client, "COMMIT");
      return result;
    });
  }

  async #connect(): Promise<PoolClient> {
    if (this.#isClosed) throw new StoreUnavailable("the store is closed");
    if (performance.now() < this.#retryAt) throw new StoreUnavailable(this.#lastProblem);
    try {
      const client = await this.#pool.connect();
      this.#reset();
      return client;
    } catch (error) {
      const problem = this.#unavailable(error);
      // Calls that failed at the same time count as one failure.
      if (performance.now() >= this.#retryAt) {
        this.#failures += 1;
        this.#lastProblem = problem.message;
        this.#retryAt = performance.now() + backoff(this.#failures, this.#times);
      }
      throw problem;
    }
  }

  #reset(): void {
    this.#failures = 0;
    this.#retryAt = 0;
  }

  /** Closes the connection if anything failed on it, which also ends its transaction. */
  async #using<Result>(client: PoolClient, work: () => Promise<Result>): Promise<Result> {
    // Without a listener, the end of a connection between two queries would end the process.
    const onError = () => undefined;
    client.on("error", onError);
    let failure: Error | undefined;
    try {
      return await work();
    } catch (error) {
      failure = asError(error);
      throw error;
    } finally {
      client.off("error", onError);
      client.release(failure);
    }
  }

  async #run<Row>(client: PoolClient, sql: string, parameters: readonly Value[] = []): Promise<readonly Row[]> {
    try {
      // A query of several statements can't have parameters.
      const { rows } = await client.query<Row & object>(sql, parameters.length === 0 ? undefined : [...parameters]);
      return rows;
    } catch (error) {
      const state = stateOf(error);
      throw state === undefined || ofDatabase.test(state) ? this.#unavailable(error) : error;
    }
  }

  #unavailable(error: unknown): StoreUnavailable {
    if (error instanceof StoreUnavailable) return error;
    return new StoreUnavailable(`PostgreSQL ${this.#where} could not be used: ${reason(error)}`, { cause: error });
  }
}

const notification = `SELECT pg_notify('${Listener.channel}', '')`;

/** The SQLSTATE, if PostgreSQL itself reported the error. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return undefined;
  return String(error.code);
}

/** If a name has several addresses, and none can be reached, the error itself has no message. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join("; ");
  return messageOf(error);
}

/** Host and database of the URL, without user and password. */
function describe(url: string): string {
  const { host, pathname } = URL.parse(url) ?? { host: "", pathname: "" };
  return `${host}${pathname}`;
}

function keyOf(role: string): number {
  return createHash("sha256").update(role).digest().readInt32BE(0);
}
