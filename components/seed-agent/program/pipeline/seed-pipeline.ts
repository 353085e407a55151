import type { Change, Submission } from "../domain.ts";
import type { NewChange } from "../store/store.ts";
import { activeVersion, type PipelineParts, versionOf } from "./parts.ts";
import { type Author, Conflict, NotFound, type Pipeline } from "./pipeline.ts";
import { changedSources, diffOf, isSame } from "./sources.ts";
import { PipelineWorker } from "./worker.ts";

export function seedPipeline(parts: PipelineParts): Pipeline {
  return new SeedPipeline(parts);
}

class SeedPipeline implements Pipeline {
  readonly #parts: PipelineParts;
  readonly #worker: PipelineWorker;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#worker = new PipelineWorker(parts);
  }

  async submit({ files, summary, base, answers }: Submission, by: Author): Promise<Change> {
    const active = await activeVersion(this.#parts);
    if (base !== undefined && base !== active.id)
      throw new Conflict(
        `the change was written against ${base}, but ${active.id} is active: check that out, and submit again`,
      );
    if (isSame(active.sources, changedSources(active.sources, files)))
      throw new Conflict(`the change has no effect: the files are those of ${active.id} already`);
    return await this.#submitted({ files, summary, answers, base: active.id, ...by });
  }

  async approve(id: string, by: string, reason?: string): Promise<Change> {
    const change = await this.#decided(id, ["waiting"], { state: "approved", approvedBy: by });
    await this.#audit(by, "approved", change, reason);
    return change;
  }

  async reject(id: string, by: string, reason?: string): Promise<Change> {
    const words = reason ?? `rejected by ${by}`;
    const change = await this.#decided(id, ["queued", "waiting", "approved"], { state: "rejected", reason: words });
    await this.#audit(by, "rejected", change, reason);
    return change;
  }

  async activateVersion(id: string, by: string, reason?: string): Promise<Change> {
    const active = await activeVersion(this.#parts);
    const version = await versionOf(id, this.#parts);
    if (version === undefined) throw new NotFound(`there is no version ${id}`);
    if (version.id === active.id) throw new Conflict(`${id} is active already`);
    return await this.#submitted({
      ...{ files: {}, summary: reason ?? `Activate ${id} again`, answers: "may differ", base: active.id },
      ...{ author: by, activation: "by a person", version: id, approvedBy: by },
    });
  }

  async rollBack(by: string, reason?: string): Promise<Change> {
    const { id, parent } = await activeVersion(this.#parts);
    if (parent === undefined) throw new Conflict(`there is no version before ${id}`);
    return await this.activateVersion(parent, by, reason ?? `Roll ${id} back`);
  }

  async diff(id: string): Promise<string> {
    const change = await this.#parts.store.change(id);
    if (change === undefined) throw new NotFound(`there is no change ${id}`);
    const base = await versionOf(change.base, this.#parts);
    if (base === undefined) throw new NotFound(`${change.base}, the base of ${id}, is no longer kept`);
    const isReactivation = Object.keys(change.files).length === 0 && change.version !== undefined;
    const after = isReactivation ? await versionOf(change.version ?? "", this.#parts) : undefined;
    return diffOf(base.sources, after?.sources ?? changedSources(base.sources, change.files));
  }

  async pause(by: string): Promise<void> {
    await this.#setPaused(true, by);
  }

  async resume(by: string): Promise<void> {
    await this.#setPaused(false, by);
  }

  lastBeat(): number | undefined {
    return this.#worker.lastBeat;
  }

  start(): void {
    this.#worker.start();
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }

  async #setPaused(isPaused: boolean, by: string): Promise<void> {
    const { store, node, events } = this.#parts;
    const value = String(isPaused);
    for (;;) {
      const before = await store.setting("paused");
      if ((before ?? "false") === value) return;
      if (await store.setSetting("paused", value, before)) break;
    }
    const action = isPaused ? "paused" : "resumed";
    events.decision(by, action);
    await store.audit({ node, actor: by, action });
    this.#worker.wake();
  }

  async #submitted(submission: NewChange): Promise<Change> {
    const change = await this.#parts.store.submit(submission);
    await this.#audit(change.author, "submitted", change, change.summary, {
      ...(change.promptHash === undefined ? {} : { promptHash: change.promptHash }),
      ...(change.costUsd === undefined ? {} : { costUsd: change.costUsd }),
      diff: await this.diff(change.id),
    });
    this.#worker.wake();
    return change;
  }

  async #decided(
    id: string,
    from: readonly Change["state"][],
    patch: Pick<Change, "state"> & Partial<Change>,
  ): Promise<Change> {
    const { state, approvedBy, reason } = patch;
    const written = await this.#parts.store.updateChange(id, from, {
      state,
      ...(approvedBy === undefined ? {} : { approvedBy }),
      ...(reason === undefined ? {} : { reason }),
    });
    if (written !== undefined) {
      this.#worker.wake();
      return written;
    }
    const change = await this.#parts.store.change(id);
    if (change === undefined) throw new NotFound(`there is no change ${id}`);
    throw new Conflict(`${id} is ${change.state}: only a change that is ${from.join(" or ")} can be ${state}`);
  }

  async #audit(
    actor: string,
    action: string,
    change: Change,
    detail?: string,
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { store, node, events } = this.#parts;
    events.decision(actor, action);
    await store.audit({
      ...{ node, actor, action, change: change.id },
      ...(change.version === undefined ? {} : { version: change.version }),
      ...(detail === undefined ? {} : { detail }),
      ...(data === undefined ? {} : { data }),
    });
  }
}
