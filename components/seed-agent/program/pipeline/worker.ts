import { asError } from "../../../lib/as-error.ts";
import type { Change, Report, ReportStep, Version } from "../domain.ts";
import { StoreUnavailable } from "../store/store.ts";
import { mostRecordings, type PipelineParts, versionOf } from "./parts.ts";
import { pruneVersions } from "./prune.ts";
import { changedSources, isSame } from "./sources.ts";

/** How long a claim is valid without a sign of life, in seconds. */
const leaseSeconds = 30;
/** The queue is looked at this often, if no news comes, in ms. */
const pollMs = 2000;
/** A change that took down its worker this often is not begun again. */
const mostAttempts = 5;
/** How long nodes after the first are watched, in ms. */
const watchMs = 5000;
/** What a node may take until it runs a version, besides its probation, in ms. */
const nodeMs = 60_000;

/** Takes changes from the queue, one at a time. Whatever it does can be done again by another worker. */
export class PipelineWorker {
  readonly #parts: PipelineParts;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  #isWoken = false;
  /** When it last showed that it is alive, as `performance.now()`. */
  lastBeat: number | undefined;
  #running: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#unsubscribe = this.#parts.store.subscribe(() => this.wake());
    this.#running = this.#run();
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#unsubscribe?.();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.lastBeat = performance.now();
      const worked = await this.#next().catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          this.#parts.events.log("error", "the queue's worker failed", { reason: String(error) });
        return false;
      });
      if (!worked && !signal.aborted) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#isWoken = false;
  }

  /** @returns whether there was something to do */
  async #next(): Promise<boolean> {
    const { store, node } = this.#parts;
    if ((await store.setting("paused")) === "true") return false;
    const change = await store.claim(node, leaseSeconds);
    if (change === undefined) return false;
    const claim = new AbortController();
    const signal = AbortSignal.any([claim.signal, this.#stop.signal]);
    const renewal = setInterval(
      async () => {
        this.lastBeat = performance.now();
        const isKept = await store.renewClaim(change.id, node, leaseSeconds).catch(() => true);
        if (!isKept) claim.abort();
      },
      (leaseSeconds * 1000) / 3,
    );
    try {
      await this.#work(change, signal);
    } catch (error) {
      if (signal.aborted) return true;
      if (!(error instanceof StoreUnavailable)) await this.#note(change, asError(error).message);
      throw error;
    } finally {
      clearInterval(renewal);
      // Another node need not wait until the lease is over.
      if (this.#stop.signal.aborted) await store.renewClaim(change.id, node, 0).catch(() => undefined);
    }
    return true;
  }

  /** Why an attempt failed, for whoever reads it after the last one. */
  async #note(change: Change, reason: string): Promise<void> {
    const { store, node } = this.#parts;
    await store.updateChange(change.id, [change.state], { claimedBy: node, reason }).catch(() => undefined);
  }

  async #work(change: Change, signal: AbortSignal): Promise<void> {
    if (change.attempts > mostAttempts) {
      const why = change.reason ?? `its worker ended while it was ${change.state}`;
      await this.#end(change, "failed", `given up after ${mostAttempts} attempts: ${why}`);
    } else if (change.state === "checking") await this.#check(change, signal);
    else await this.#rollOut(change, signal);
  }

  async #check(change: Change, signal: AbortSignal): Promise<void> {
    const { store, check, limits, testMilliseconds, events, isAutomatic, node } = this.#parts;
    const base = await this.#base(change);
    if (base === undefined) return;
    const done = events.hotReload({ version: change.id, step: "check" });
    const steps: ReportStep[] = [];
    const started = performance.now();
    const candidate = {
      ...{ sources: changedSources(base.sources, change.files), base, answers: change.answers },
      recordings: (await store.recordings(mostRecordings)).filter(({ version }) => version === base.id),
    };
    const checked = check(candidate, {
      ...{ limits: { ...limits, isBackground: true }, testMilliseconds, signal },
      onStep: (step) => {
        steps.push(step);
        // For whoever follows the change; the whole report comes at the end.
        const soFar = { passed: false, steps: [...steps], fence: "", milliseconds: performance.now() - started };
        store.updateChange(change.id, ["checking"], { claimedBy: node, report: soFar }).catch(() => undefined);
      },
    });
    const { report, built } = await checked.catch((error: unknown) => {
      done({ ok: false, reason: asError(error).message });
      throw error;
    });
    if (signal.aborted) return done({ ok: false, reason: "interrupted" });
    if (!report.passed || built === undefined) {
      const reason = whyRejected(report);
      done({ ok: false, reason });
      return await this.#end(change, "rejected", reason, { report });
    }
    const version = await store.addVersion(
      {
        ...{ parent: base.id, hash: built.hash, author: change.author, summary: change.summary },
        ...{ sources: candidate.sources, bundle: built.bundle, report },
        ...(built.testBundle === undefined ? {} : { testBundle: built.testBundle }),
      },
      change.id,
    );
    done({ ok: true });
    const isByItself = change.activation === "by itself" && change.answers === "same" && isAutomatic();
    const written = await store.updateChange(change.id, ["checking"], {
      ...{ claimedBy: node, report, version: version.id },
      ...(isByItself
        ? { state: "approved", approvedBy: "system" }
        : { state: "waiting", reason: "it passed, and waits for a person's approval" }),
    });
    if (written === undefined) return;
    await this.#audit(written, "system", isByItself ? "approved" : "checked", "all checks passed", { report });
  }

  async #rollOut(change: Change, signal: AbortSignal): Promise<void> {
    const { store, rollOut, probationSeconds, node } = this.#parts;
    const { version } = change;
    const former = (await store.activeVersion()) ?? "v0";
    if (version === undefined) return await this.#end(change, "failed", "it has no version");
    if (former === version) return await this.#end(change, "active", "it is active already");
    if (former !== change.base) {
      const reason = `${former} was activated meanwhile, and it was written against ${change.base}: submit it again`;
      return await this.#end(change, "rejected", reason);
    }
    const result = await store.leading("roll-out", (leading) =>
      rollOut(version, former, {
        change: change.id,
        ...{ watchMilliseconds: watchMs, nodeMilliseconds: nodeMs + probationSeconds * 1000 },
        signal: AbortSignal.any([signal, leading]),
      }),
    );
    // Another node leads, or this one stops: whoever claims the change next goes on.
    if (result === undefined || result.outcome === "interrupted")
      return await this.#abandon(change, result?.reason, signal);
    if (result.outcome === "active") {
      const many = result.nodes.length > 1 ? `${result.nodes.length} nodes run it` : "it passed its probation";
      await this.#end(change, "active", many, {}, { nodes: result.nodes });
      await pruneVersions(this.#parts);
    } else {
      const reason = `${result.reason} (on ${result.node})`;
      await this.#end(change, "rolled-back", reason, { activeVersion: former }, { node: result.node, by: node });
    }
  }

  /** Without a busy loop: the claim stays for a moment. */
  async #abandon(change: Change, reason: string | undefined, signal: AbortSignal): Promise<void> {
    this.#parts.events.log("warn", `the roll-out of ${change.id} was interrupted`, { reason });
    if (!signal.aborted) await this.#pause();
  }

  /** @returns undefined if the change is not written against the active version any more, and is rejected therefore */
  async #base(change: Change): Promise<Version | undefined> {
    const { store } = this.#parts;
    const active = (await store.activeVersion()) ?? "v0";
    const base = active === change.base ? await versionOf(active, this.#parts) : undefined;
    if (base === undefined) {
      await this.#end(
        change,
        "rejected",
        `${active} is active now, and it was written against ${change.base}: submit it again`,
      );
    } else if (isSame(base.sources, changedSources(base.sources, change.files))) {
      await this.#end(change, "rejected", "it has no effect");
      return undefined;
    }
    return base;
  }

  async #end(
    change: Change,
    state: "active" | "rejected" | "rolled-back" | "failed",
    reason: string | undefined,
    patch: Partial<Pick<Change, "report">> & { readonly activeVersion?: string } = {},
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { store, node } = this.#parts;
    const written = await store.updateChange(change.id, [change.state], {
      ...{ claimedBy: node, state, ...patch },
      ...(reason === undefined ? {} : { reason }),
    });
    if (written === undefined) return;
    const action = state === "active" ? "activated" : state;
    await this.#audit(written, "system", action, reason, { ...data, ...(patch.report && { report: patch.report }) });
  }

  async #audit(
    change: Change,
    actor: string,
    action: string,
    detail: string | undefined,
    data: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { store, node, events } = this.#parts;
    events.decision(actor, action);
    await store.audit({
      ...{ node, actor, action, change: change.id, data: { ...data } },
      ...(change.version === undefined ? {} : { version: change.version }),
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

/** The step that failed, and the first thing that is wrong: `types: 2 errors: handle.ts:4: …`. */
function whyRejected({ steps }: Report): string {
  const failed = steps.find(({ outcome }) => outcome === "failed");
  if (failed === undefined) return "its checks failed";
  const [first] = failed.diagnostics;
  if (first === undefined) return `${failed.name}: ${failed.summary}`;
  const place = [first.file, first.line].filter((part) => part !== undefined).join(":");
  const line = first.message.split("\n", 1)[0] ?? "";
  return `${failed.name}: ${failed.summary}: ${place === "" ? "" : `${place}: `}${line}`.slice(0, 500);
}
