import * as z from "zod/mini";
import type { RunningSandbox, SandboxManager, WarmSnapshot } from "../../manager.ts";
import { SandboxError, SandboxGone } from "../../provider.ts";
import { type SandboxSpec, sandboxSpec } from "../../spec.ts";
import type { Records } from "./records.ts";

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
}

const specOf = z.pipe(
  z.transform((text: string): unknown => JSON.parse(text)),
  sandboxSpec,
);

/** The sandboxes of the sessions. After a restart each is opened again when it is needed. */
export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #open = new Map<string, Promise<RunningSandbox>>();

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
    const began = Date.now();
    const sandbox = await manager.start(spec, {
      ...{ sessionId: session, secrets, branch, warmSnapshot, signal, onProgress },
    });
    if (signal.aborted) {
      // Its session was terminated meanwhile, so nobody else would end it.
      await sandbox.terminate();
      signal.throwIfAborted();
    }
    records.saveSession({
      ...{ id: session, changeling, spec: JSON.stringify(spec), branch: branch ?? null, sandbox: sandbox.sandboxId },
      ...{ snapshot: null, state: null, expires_at: new Date(began + spec.timeoutSeconds * 1000).toISOString() },
    });
    this.#open.set(session, Promise.resolve(sandbox));
    return await sandbox.currentBranch();
  }

  /** @throws SandboxGone, or SandboxError with the step that failed */
  get(session: string, signal?: AbortSignal): Promise<RunningSandbox> {
    const known = this.#open.get(session);
    if (known !== undefined) return known;
    const opening = this.#reopen(session, signal);
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
    const { manager, records } = this.#options;
    const former = records.session(session);
    const snapshot = await (await this.get(session)).snapshot();
    records.saveSnapshot(session, snapshot);
    if (former !== undefined && former.snapshot !== null && former.snapshot !== snapshot) {
      // A sandbox that was made from it may still need it.
      await manager.removeSnapshot(specOf.parse(former.spec), former.snapshot).catch(() => {});
    }
    return snapshot;
  }

  /** Ends a session's sandbox and removes its snapshot. Succeeds if they are gone. */
  async terminate(session: string): Promise<void> {
    const { manager, records } = this.#options;
    const record = records.session(session);
    if (record === undefined) return;
    const spec = specOf.parse(record.spec);
    // One that was not opened since a restart needs no runtime to be ended.
    const opened = await this.#open.get(session)?.catch(() => undefined);
    await (opened === undefined ? manager.terminate(spec, record.sandbox) : opened.terminate());
    if (record.snapshot !== null) await manager.removeSnapshot(spec, record.snapshot);
    this.#open.delete(session);
    records.removeSession(session);
  }

  async #reopen(session: string, signal: AbortSignal | undefined): Promise<RunningSandbox> {
    const { manager, records } = this.#options;
    const record = records.session(session);
    if (record === undefined) throw new SandboxGone(session);
    const sandbox = await manager.reopen(specOf.parse(record.spec), {
      ...{ sessionId: session, sandboxId: record.sandbox, secrets: this.#options.secrets(record.changeling) },
      ...{ branch: record.branch ?? undefined, snapshot: record.snapshot ?? undefined, signal },
      state: record.state === null ? undefined : JSON.parse(record.state),
    });
    if (sandbox.sandboxId !== record.sandbox) records.saveSandbox(session, sandbox.sandboxId);
    return sandbox;
  }
}

/** Whether a sandbox can't be opened because it does not exist any more. */
export function isGone(error: unknown): boolean {
  return error instanceof SandboxGone || (error instanceof SandboxError && error.step === "resume");
}
