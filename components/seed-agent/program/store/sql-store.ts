import { randomUUID } from "node:crypto";
import type { Database, Queryable, Scope } from "../database/database.ts";
import { addEntry, listEntries } from "./audit.ts";
import { claim, countChanges, getChange, hasClaim, listChanges, renewClaim, submit, updateChange } from "./changes.ts";
import { now } from "./ids.ts";
import { listNodes, report, setDesired } from "./nodes.ts";
import { listRecordings, record } from "./recordings.ts";
import { migrate } from "./schema.ts";
import { isUnchanged, stateGet, stateSet } from "./state.ts";
import { type Store, StoreUnavailable } from "./store.ts";
import { activeVersion, addVersion, getVersion, listVersions, pruneVersions } from "./versions.ts";

/** The database need not be reachable yet. The first call that reaches it creates the tables. */
export class SqlStore implements Store {
  readonly kind: Store["kind"];
  readonly #database: Database;
  #ready: Promise<void> | undefined;
  #hasReleasedClaims = false;

  constructor(database: Database) {
    this.kind = database.kind;
    this.#database = database;
  }

  addVersion: Store["addVersion"] = (version, change) =>
    this.#inTurn("queue", (database) => addVersion(database, version, change));
  version: Store["version"] = (id) => this.#with((database) => getVersion(database, id));
  versions: Store["versions"] = (limit) => this.#with((database) => listVersions(database, limit));
  pruneVersions: Store["pruneVersions"] = (keep) => this.#inTurn("queue", (database) => pruneVersions(database, keep));
  activeVersion: Store["activeVersion"] = () => this.#with(activeVersion);

  submit: Store["submit"] = (submission) => this.#inTurn("queue", (database) => submit(database, submission));
  change: Store["change"] = (id) => this.#with((database) => getChange(database, id));
  changes: Store["changes"] = (filter) => this.#with((database) => listChanges(database, filter));
  countChanges: Store["countChanges"] = (states) => this.#with((database) => countChanges(database, states));
  claim: Store["claim"] = (node, leaseSeconds) =>
    this.#inTurn("queue", async (database) => {
      const claimed = await claim(database, node, milliseconds(leaseSeconds));
      if (claimed?.isChanged) await database.notify();
      return claimed?.change;
    });
  renewClaim: Store["renewClaim"] = (change, node, leaseSeconds) =>
    this.#inTurn("queue", (database) => renewClaim(database, change, node, milliseconds(leaseSeconds)));
  updateChange: Store["updateChange"] = (id, from, patch) =>
    this.#inTurn("queue", (database) => updateChange(database, id, from, patch));

  audit: Store["audit"] = (entry) => this.#inTurn("queue", (database) => addEntry(database, entry));
  auditLog: Store["auditLog"] = (filter) => this.#with((database) => listEntries(database, filter));

  report: Store["report"] = (node) => this.#with((database) => report(database, node));
  nodes: Store["nodes"] = (withinSeconds) => this.#with((database) => listNodes(database, milliseconds(withinSeconds)));
  setDesired: Store["setDesired"] = (node, version, { change, claimedBy }) =>
    this.#inTurn(
      "queue",
      async (database) => (await hasClaim(database, change, claimedBy)) && (await setDesired(database, node, version)),
    );

  record: Store["record"] = (recording, keep) =>
    this.#inTurn("recordings", (database) => record(database, recording, keep));
  recordings: Store["recordings"] = (limit) => this.#with((database) => listRecordings(database, limit));

  stateGet: Store["stateGet"] = (keys) => this.#with((database) => stateGet(database, keys));
  stateSet: Store["stateSet"] = async (changes, reads = {}) => {
    if (Object.keys(changes).length === 0) return await this.#with((database) => isUnchanged(database, reads));
    return await this.#inTurn("state", async (database) => {
      if (!(await isUnchanged(database, reads))) return false;
      await stateSet(database, changes);
      return true;
    });
  };

  setting: Store["setting"] = (name) => this.#with((database) => setting(database, name));
  setSetting: Store["setSetting"] = (name, value, expected) =>
    this.#inTurn("queue", async (database) => {
      if ((await setting(database, name)) !== expected) return false;
      const sql = "INSERT INTO settings(name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";
      await database.query(sql, [name, value]);
      await database.notify();
      return true;
    });

  leading: Store["leading"] = (role, lead) => this.#database.leading(role, lead);
  subscribe: Store["subscribe"] = (onChange) => this.#database.subscribe(onChange);
  now: Store["now"] = () => this.#with(now);

  check: Store["check"] = () =>
    this.#inTurn("queue", async ({ query }) => {
      const value = randomUUID();
      const sql = "INSERT INTO settings(name, value) VALUES ('check', $1) ON CONFLICT (name) DO UPDATE SET value = $1";
      await query(sql, [value]);
      const rows = await query("SELECT 1 FROM settings WHERE name = 'check' AND value = $1", [value]);
      if (rows.length === 0) throw new StoreUnavailable("the database does not return what was written to it");
    });

  close: Store["close"] = () => this.#database.close();

  #inTurn<Result>(scope: Scope, work: (database: Queryable) => Promise<Result>): Promise<Result> {
    return this.#with(() => this.#database.transaction(scope, work));
  }

  async #with<Result>(work: (database: Queryable) => Promise<Result>): Promise<Result> {
    this.#ready ??= this.#prepare();
    const ready = this.#ready;
    try {
      await ready;
      return await work(this.#database);
    } catch (error) {
      // The database that is reached next may be another one: an older backup, or an empty file.
      if (error instanceof StoreUnavailable && this.#ready === ready) this.#ready = undefined;
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    await migrate(this.#database);
    if (this.kind !== "sqlite" || this.#hasReleasedClaims) return;
    // With SQLite there is one node, so every claim is this node's, from before its restart.
    await this.#database.query("UPDATE changes SET claimed_by = NULL WHERE claimed_by IS NOT NULL");
    this.#hasReleasedClaims = true;
  }
}

async function setting({ query }: Queryable, name: string): Promise<string | undefined> {
  return (await query<{ value: string }>("SELECT value FROM settings WHERE name = $1", [name]))[0]?.value;
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
