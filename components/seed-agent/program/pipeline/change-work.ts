import { messageOf } from "../../../lib/as-error.ts";
import type { Change, Report, ReportStep, Version } from "../domain.ts";
import { maxRecordings, type PipelineParts, versionOf } from "./parts.ts";
import { pruneVersions } from "./prune.ts";
import { changedSources, isSame } from "./sources.ts";

/** How long nodes after the first are watched, in ms. */
const watchMilliseconds = 5000;
/** How long a node may take until it runs a version, besides its probation, in ms. */
const nodeMilliseconds = 60_000;

/** Checks claimed changes and rolls them out. Another worker can repeat every step. */
export class ChangeWork {
  readonly #parts: PipelineParts;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  async check(change: Change, signal: AbortSignal): Promise<void> {
    const { store, check, limits, testMilliseconds, events, isAutomatic, node } = this.#parts;
    const base = await this.#base(change);
    if (base === undefined) return;
    const candidate = {
      ...{ sources: changedSources(base.sources, change.files), base, answers: change.answers },
      recordings: (await store.recordings(maxRecordings)).filter(({ version }) => version === base.id),
    };
    const done = events.hotReload({ version: change.id, step: "check" });
    const steps: ReportStep[] = [];
    const started = performance.now();
    const checked = check(candidate, {
      ...{ limits: { ...limits, isBackground: true }, testMilliseconds, signal },
      onStep: (step) => {
        steps.push(step);
        // Shows the progress. The complete report follows at the end.
        const soFar = { passed: false, steps: [...steps], fence: "", milliseconds: performance.now() - started };
        store.updateChange(change.id, ["checking"], { claimedBy: node, report: soFar }).catch(() => undefined);
      },
    });
    const { report, built } = await checked.catch((error: unknown) => {
      done({ ok: false, reason: messageOf(error) });
      throw error;
    });
    if (signal.aborted) return done({ ok: false, reason: "interrupted" });
    if (!report.passed || built === undefined) {
      const reason = whyRejected(report);
      done({ ok: false, reason });
      return await this.end(change, "rejected", reason, { report });
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

  /** @returns why the roll-out was interrupted, or undefined if it has ended. The next worker continues it */
  async rollOut(change: Change, signal: AbortSignal): Promise<string | undefined> {
    const { store, rollOut, probationSeconds, node } = this.#parts;
    const { version } = change;
    const former = (await store.activeVersion()) ?? "v0";
    if (version === undefined) {
      await this.end(change, "failed", "it has no version");
      return undefined;
    }
    if (former === version) {
      await this.end(change, "active", "it is active already");
      return undefined;
    }
    if (former !== change.base) {
      const reason = `${former} was activated meanwhile, and it was written against ${change.base}: submit it again`;
      await this.end(change, "rejected", reason);
      return undefined;
    }
    const result = await store.leading("roll-out", (leading) =>
      rollOut(version, former, {
        change: change.id,
        ...{ watchMilliseconds, nodeMilliseconds: nodeMilliseconds + probationSeconds * 1000 },
        signal: AbortSignal.any([signal, leading]),
      }),
    );
    if (result === undefined) return "another node leads";
    if (result.outcome === "interrupted") return result.reason;
    if (result.outcome === "active") {
      const many = result.nodes.length > 1 ? `${result.nodes.length} nodes run it` : "it passed its probation";
      await this.end(change, "active", many, {}, { nodes: result.nodes });
      await pruneVersions(this.#parts);
    } else {
      const reason = `${result.reason} (on ${result.node})`;
      await this.end(change, "rolled-back", reason, { activeVersion: former }, { node: result.node, by: node });
    }
    return undefined;
  }

  /** Ends a change, if this node still has the claim. */
  async end(
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

  /** @returns the change's base; undefined after it has rejected a change whose base is no longer active, or without effect */
  async #base(change: Change): Promise<Version | undefined> {
    const { store } = this.#parts;
    const active = (await store.activeVersion()) ?? "v0";
    const base = active === change.base ? await versionOf(active, this.#parts) : undefined;
    if (base === undefined) {
      await this.end(
        change,
        "rejected",
        `${active} is active now, and it was written against ${change.base}: submit it again`,
      );
    } else if (isSame(base.sources, changedSources(base.sources, change.files))) {
      await this.end(change, "rejected", "it has no effect");
      return undefined;
    }
    return base;
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

/** @returns the step that failed and its first diagnostic, such as `types: 2 errors: handle.ts:4: …` */
function whyRejected({ steps }: Report): string {
  const failed = steps.find(({ outcome }) => outcome === "failed");
  if (failed === undefined) return "its checks failed";
  const [first] = failed.diagnostics;
  if (first === undefined) return `${failed.name}: ${failed.summary}`;
  const place = [first.file, first.line].filter((part) => part !== undefined).join(":");
  const line = first.message.split("\n", 1)[0] ?? "";
  return `${failed.name}: ${failed.summary}: ${place === "" ? "" : `${place}: `}${line}`.slice(0, 500);
}
