import * as z from "zod/mini";
import { digestOfJson } from "../../../lib/json.ts";
import { lifetimeOf } from "../../lifetime.ts";
import type { SandboxManager, WarmSnapshot } from "../../manager.ts";
import { type Capabilities, SandboxError, SandboxGone } from "../../provider.ts";
import type { RunningSandbox } from "../../running-sandbox.ts";
import { type SandboxSpec, sandboxSpec } from "../../spec.ts";
import type { Records, SessionRecord } from "./records.ts";

/** A changeling as its sessions need it. */
export interface Changeling {
  readonly spec: SandboxSpec;
  readonly warmSnapshot?: WarmSnapshot | undefined;
}

export interface SandboxesOptions {
  readonly manager: SandboxManager;
  readonly records: Records;
  /** @throws if it is not installed, or not enabled */
  readonly changeling: (name: string) => Changeling;
  /** The values of a changeling's secrets, by name. */
  readonly secrets: (name: string) => Readonly<Record<string, string>>;
  /** Called when a sandbox fell asleep or woke up; `records.unreported` says which. */
  readonly onChange?: (() => void) | undefined;
}

/** A sandbox can't be saved: its provider has no snapshots, or it is gone. */
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
 * The sandboxes of the sessions. After a restart each is reopened when it is needed.
 *
 * A sandbox falls asleep in three steps: it is saved in a snapshot, the snapshot is recorded, and the sandbox is ended. A
 * service that was killed between two steps finds a sandbox that is awake, or a record that says to use the snapshot.
 */
export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #open = new Map<string, Promise<RunningSandbox>>();
  /** The digests of the secrets with which sessions' sandboxes were opened. */
  readonly #openedWith = new Map<string, string>();
  /** How many callers use a session's sandbox now. */
  readonly #users = new Map<string, number>();
  readonly #fallingAsleep = new Map<string, Promise<void>>();

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  /** The values of the secrets, which the session's programs may print. */
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
    // A service that was killed may have left a half-made sandbox.
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
      // If the session was terminated meanwhile, nobody else ends the sandbox.
      await made?.terminate();
      records.removeSession(session);
      throw error;
    }
    records.saveSession({ ...record, sandbox: made.sandboxId, used_at: new Date().toISOString() });
    this.#open.set(session, Promise.resolve(made));
    this.#openedWith.set(session, digestOfJson(secrets));
    return await made.currentBranch();
  }

  /**
   * Works with a session's sandbox, which does not fall asleep meanwhile. A sleeping sandbox is woken up first.
   *
   * @param how.onLost called if the sandbox was lost while it was awake, and is restored from its last snapshot
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
   * Saves a session's sandbox in a snapshot, and ends it. The next use wakes it up.
   *
   * @param endUse ends the work in the sandbox; later callers of `use` wait until the sandbox sleeps
   * @throws CannotSleep. If no snapshot can be made, the sandbox keeps running
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

  /** Ends the sandbox of a sleeping session, unless it has ended already. */
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
    if (!(await manager.capabilities(spec)).snapshots) throw new CannotSleep(`${spec.provider} has no snapshots`);
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
    // A sandbox that was made from it may still need it. If it can't be removed now, it is left over.
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
    if (known !== undefined && !this.#hasNewSecrets(session)) return known;
    const opening = this.#reopen(session, how);
    this.#open.set(session, opening);
    opening.catch(() => this.forget(session, opening));
    return opening;
  }

  /** A key that was rejected, or a token that expired, is replaced by the next `up`. Not while somebody else uses the sandbox. */
  #hasNewSecrets(session: string): boolean {
    const changeling = this.changelingOf(session);
    if (changeling === undefined || (this.#users.get(session) ?? 0) > 1) return false;
    try {
      return digestOfJson(this.#options.secrets(changeling)) !== this.#openedWith.get(session);
    } catch {
      return false; // a prompt reports it, and nothing else needs them
    }
  }

  /** Drops an open sandbox. It is reopened when it is needed next. */
  forget(session: string, which?: Promise<RunningSandbox>): void {
    if (which === undefined || this.#open.get(session) === which) this.#open.delete(session);
  }

  /** Takes a snapshot, and removes the former one. */
  async snapshot(session: string): Promise<string> {
    const { records } = this.#options;
    const snapshot = await this.use(session, (sandbox) => sandbox.snapshot());
    // Read only now: the sandbox may have been falling asleep, which saves another one.
    const before = records.session(session);
    records.saveSnapshot(session, snapshot);
    if (before !== undefined) await this.#removeFormer(before, snapshot);
    return snapshot;
  }

  /** Ends a session's sandbox and removes its snapshot. Succeeds if they are already gone. */
  async terminate(session: string): Promise<void> {
    const { manager, records } = this.#options;
    await this.#fallingAsleep.get(session)?.catch(() => {});
    const record = records.session(session);
    if (record === undefined) return;
    const spec = specOf.parse(record.spec);
    // A sandbox that was not reopened since a restart is ended without its runtime.
    const opened = await this.#open.get(session)?.catch(() => undefined);
    if (opened !== undefined) await opened.terminate();
    else if (record.sandbox !== "") await manager.terminate(spec, record.sandbox);
    if (record.snapshot !== null) await manager.removeSnapshot(spec, record.snapshot);
    this.#open.delete(session);
    this.#openedWith.delete(session);
    records.removeSession(session);
  }

  async #reopen(session: string, { signal, onLost = () => {} }: UseOptions): Promise<RunningSandbox> {
    const { manager, records, onChange = () => {} } = this.#options;
    // The sandbox from before it fell asleep must not run beside the new one.
    await this.#endAsleep(session);
    const record = records.session(session);
    if (record === undefined) throw new SandboxGone(session);
    const spec = specOf.parse(record.spec);
    const expires = expiryOf(spec, await manager.capabilities(spec));
    const secrets = this.#options.secrets(record.changeling);
    this.#openedWith.set(session, digestOfJson(secrets));
    const sandbox = await manager.reopen(spec, {
      ...{ sessionId: session, secrets },
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

/** Whether an error says that a sandbox no longer exists. */
export function isGone(error: unknown): boolean {
  return error instanceof SandboxGone || (error instanceof SandboxError && error.step === "resume");
}
