import * as z from "zod/mini";
import { lifetimeOf } from "../../lifetime.ts";
import type { SandboxManager, WarmSnapshot } from "../../manager.ts";
import { type Capabilities, SandboxError, SandboxGone } from "../../provider.ts";
import type { RunningSandbox } from "../../running-sandbox.ts";
import { type SandboxSpec, sandboxSpec } from "../../spec.ts";
import type { Records, SessionRecord } from "./records.ts";

/** What sessions of a changeling are made from. */
export interface Changeling {
  readonly spec: SandboxSpec;
  readonly warmSnapshot?: WarmSnapshot | undefined;
}

export interface SandboxesOptions {
  readonly manager: SandboxManager;
  readonly records: Records;
  /** @throws if it is not installed, or not enabled */
  readonly changeling: (name: string) => Changeling;
  /** Values of a changeling's secrets, by name. */
  readonly secrets: (name: string) => Readonly<Record<string, string>>;
  /** A sandbox sleeps, or does not any more: `records.unreported` says which. */
  readonly onChange?: (() => void) | undefined;
}

/** A sandbox can't be saved, because its provider has no snapshots or because it is gone. */
export class CannotSleep extends Error {
  override readonly name = "CannotSleep";
}

interface UseOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onLost?: (() => void) | undefined;
}

const specOf = z.pipe(
  z.transform((text: string): unknown => JSON.parse(text)),
  sandboxSpec,
);

/**
 * The sandboxes of the sessions. After a restart each is opened again when it is needed.
 *
 * A sandbox that falls asleep is saved in a snapshot; that is recorded; then it is ended. A service that is killed in
 * between finds either a sandbox that is awake, or the record that says that the snapshot is what counts.
 */
export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #open = new Map<string, Promise<RunningSandbox>>();
  /** How many use a session's sandbox now. */
  readonly #users = new Map<string, number>();
  readonly #fallingAsleep = new Map<string, Promise<void>>();

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  /** Values of secrets that the session's programs may print. */
  secretsOf(changeling: string): string[] {
    return Object.values(this.#options.secrets(changeling));
  }

  changelingOf(session: string): string | undefined {
    return this.#options.records.session(session)?.changeling;
  }

  /** @returns the branch */
  async start(
    session: string,
    how: {
      readonly changeling: string;
      readonly branch: string | undefined;
      readonly signal: AbortSignal;
      readonly onProgress: (line: string) => void;
    },
  ): Promise<string> {
    const { manager, records } = this.#options;
    const { changeling, branch, signal, onProgress } = how;
    const { spec, warmSnapshot } = this.#options.changeling(changeling);
    const secrets = this.#options.secrets(changeling);
    const expires = expiryOf(spec, await manager.capabilities(spec));
    const record: SessionRecord = {
      ...{ id: session, changeling, spec: JSON.stringify(spec), branch: branch ?? null, sandbox: "" },
      ...{ snapshot: null, state: null, expires_at: expires.toISOString(), used_at: "" },
      ...{ is_asleep: 0, reported_asleep: 0 },
    };
    // Of a service that was killed while it made it.
    const halfMade = records.session(session)?.sandbox ?? "";
    if (halfMade !== "") await manager.terminate(spec, halfMade);
    let made: RunningSandbox | undefined;
    try {
      const onNew = (sandbox: string) => records.saveSession({ ...record, sandbox });
      made = await manager.start(spec, {
        ...{ sessionId: session, secrets, branch, warmSnapshot, signal, onProgress, onNew },
      });
      signal.throwIfAborted();
    } catch (error) {
      // If its session was terminated meanwhile, nobody else would end it.
      await made?.terminate();
      records.removeSession(session);
      throw error;
    }
    records.saveSession({ ...record, sandbox: made.sandboxId, used_at: new Date().toISOString() });
    this.#open.set(session, Promise.resolve(made));
    return await made.currentBranch();
  }

  /**
   * Does something with a session's sandbox, which does not fall asleep meanwhile. One that sleeps is woken up.
   *
   * @param how.onLost the sandbox was lost while it was awake, and is made again from its last snapshot
   * @throws SandboxGone, or SandboxError with the step that failed
   */
  async use<Result>(
    session: string,
    work: (sandbox: RunningSandbox) => Promise<Result>,
    how: UseOptions = {},
  ): Promise<Result> {
    while (this.#fallingAsleep.has(session)) await this.#fallingAsleep.get(session)?.catch(() => {});
    this.#users.set(session, (this.#users.get(session) ?? 0) + 1);
    try {
      return await work(await this.#get(session, how));
    } finally {
      const left = (this.#users.get(session) ?? 1) - 1;
      if (left === 0) this.#users.delete(session);
      else this.#users.set(session, left);
      this.#options.records.saveUse(session, new Date());
    }
  }

  isUsed(session: string): boolean {
    return this.#users.has(session);
  }

  /**
   * Saves a session's sandbox in a snapshot, and ends it. Whoever uses it next wakes it up.
   *
   * @param endUse ends what still uses it; those who come meanwhile wait until it sleeps
   * @throws CannotSleep; and the sandbox goes on if the snapshot can't be made
   */
  sleep(session: string, endUse: () => Promise<void> = async () => {}): Promise<void> {
    const known = this.#fallingAsleep.get(session);
    if (known !== undefined) return known;
    const sleeping = this.#checkSnapshots(session)
      .then(endUse)
      .then(() => this.#save(session))
      .finally(() => this.#fallingAsleep.delete(session));
    this.#fallingAsleep.set(session, sleeping);
    return sleeping;
  }

  /** Ends a sandbox whose session sleeps, if that was not done before. */
  async #endAsleep(session: string): Promise<void> {
    const { manager, records } = this.#options;
    const record = records.session(session);
    if (record === undefined || record.is_asleep === 0 || record.sandbox === "") return;
    const opened = await this.#open.get(session)?.catch(() => undefined);
    this.forget(session);
    await (opened === undefined ? manager.terminate(specOf.parse(record.spec), record.sandbox) : opened.terminate());
    records.endSandbox(session, record.sandbox);
  }

  async #checkSnapshots(session: string): Promise<void> {
    const { manager, records } = this.#options;
    const record = records.session(session);
    if (record === undefined) return;
    const spec = specOf.parse(record.spec);
    if (!(await manager.capabilities(spec)).snapshots) throw new CannotSleep(`${spec.provider} makes no snapshots`);
  }

  async #save(session: string): Promise<void> {
    const { records, onChange = () => {} } = this.#options;
    const record = records.session(session);
    if (record === undefined) return;
    if (record.is_asleep === 1) return await this.#endAsleep(session);
    const snapshot = (await this.#snapshotOf(record)) ?? record.snapshot;
    if (snapshot === null) throw new CannotSleep("it is gone, and there is no snapshot of it");
    records.fallAsleep(session, snapshot);
    onChange();
    await this.#endAsleep(session);
    await this.#removeFormer(record, snapshot);
  }

  /** @param record as it was before the session had this snapshot */
  async #removeFormer({ spec, snapshot: former }: SessionRecord, snapshot: string): Promise<void> {
    if (former === null || former === snapshot) return;
    // A sandbox that was made from it may still need it. A provider that can't remove it now has one too many.
    await this.#options.manager.removeSnapshot(specOf.parse(spec), former).catch(() => {});
  }

  /** @returns undefined if the sandbox is gone */
  async #snapshotOf({ id, spec, sandbox }: SessionRecord): Promise<string | undefined> {
    const opened = await this.#open.get(id)?.catch(() => undefined);
    if (opened === undefined) return await this.#options.manager.snapshot(specOf.parse(spec), sandbox);
    try {
      return await opened.snapshot();
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  #get(session: string, how: UseOptions): Promise<RunningSandbox> {
    const known = this.#open.get(session);
    if (known !== undefined) return known;
    const opening = this.#reopen(session, how);
    this.#open.set(session, opening);
    opening.catch(() => this.forget(session, opening));
    return opening;
  }

  /** It is opened again when it is needed next. */
  forget(session: string, which?: Promise<RunningSandbox>): void {
    if (which === undefined || this.#open.get(session) === which) this.#open.delete(session);
  }

  /** The former one is removed. */
  async snapshot(session: string): Promise<string> {
    const { records } = this.#options;
    const before = records.session(session);
    const snapshot = await this.use(session, (sandbox) => sandbox.snapshot());
    records.saveSnapshot(session, snapshot);
    if (before !== undefined) await this.#removeFormer(before, snapshot);
    return snapshot;
  }

  /** Ends a session's sandbox and removes its snapshot. Succeeds if they are gone. */
  async terminate(session: string): Promise<void> {
    const { manager, records } = this.#options;
    await this.#fallingAsleep.get(session)?.catch(() => {});
    const record = records.session(session);
    if (record === undefined) return;
    const spec = specOf.parse(record.spec);
    // One that was not opened since a restart needs no runtime to be ended.
    const opened = await this.#open.get(session)?.catch(() => undefined);
    if (opened !== undefined) await opened.terminate();
    else if (record.sandbox !== "") await manager.terminate(spec, record.sandbox);
    if (record.snapshot !== null) await manager.removeSnapshot(spec, record.snapshot);
    this.#open.delete(session);
    records.removeSession(session);
  }

  async #reopen(session: string, { signal, onLost = () => {} }: UseOptions): Promise<RunningSandbox> {
    const { manager, records, onChange = () => {} } = this.#options;
    // What it was before it fell asleep must not be there beside the new one.
    await this.#endAsleep(session);
    const record = records.session(session);
    if (record === undefined) throw new SandboxGone(session);
    const spec = specOf.parse(record.spec);
    const expires = expiryOf(spec, await manager.capabilities(spec));
    const sandbox = await manager.reopen(spec, {
      ...{ sessionId: session, secrets: this.#options.secrets(record.changeling) },
      sandboxId: record.sandbox === "" ? undefined : record.sandbox,
      ...{ branch: record.branch ?? undefined, snapshot: record.snapshot ?? undefined, signal },
      state: record.state === null ? undefined : JSON.parse(record.state),
      onNew: (id) => {
        if (record.is_asleep === 0) onLost();
        records.wakeUp(session, id, expires);
      },
    });
    if (record.is_asleep === 1) onChange();
    return sandbox;
  }
}

/** When a sandbox that is made now is to sleep at the latest. */
function expiryOf(spec: SandboxSpec, capabilities: Capabilities): Date {
  return new Date(Date.now() + lifetimeOf(spec, capabilities).sleepAfterSeconds * 1000);
}

/** Whether a sandbox can't be opened because it does not exist any more. */
export function isGone(error: unknown): boolean {
  return error instanceof SandboxGone || (error instanceof SandboxError && error.step === "resume");
}
