import { createHash } from "node:crypto";
import { asError } from "../../../lib/as-error.ts";
import { canonicalJson } from "../../../lib/json.ts";
import type { CodeStore } from "../code-store/code-store.ts";
import type { NodeRecord, Version } from "../domain.ts";
import type { Events } from "../events.ts";
import type { Live, Probation } from "../live/live.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import type { ClusterView } from "./cluster.ts";
import { type News, newsOf } from "./news.ts";
import { everSeconds, livingSeconds } from "./rollout.ts";
import { inTurns } from "./turns.ts";

export interface ConvergeOptions {
  readonly node: string;
  /** `host:port`, as its peers reach it, if that is known. */
  readonly address?: () => string | undefined;
  readonly store: Pick<Store, "nodes" | "activeVersion" | "version" | "report" | "subscribe">;
  readonly codeStore: Pick<CodeStore, "read" | "write">;
  readonly live: Pick<Live, "active" | "activate" | "keep" | "revert" | "probation" | "problem">;
  readonly events: Pick<Events, "log">;
  /** `v0`, which is in no store. */
  readonly firstVersion: () => Promise<Version>;
  /** The version that put this node into a crash loop, if one did: it is not tried at once. */
  readonly failed?: Failure | undefined;
  /** How often it looks without news, in ms: its sign of life. */
  readonly pollMilliseconds?: number;
  /** How often the probation is looked at, in ms. */
  readonly probationMilliseconds?: number;
  /** A store that does not answer within this time is away, in ms. */
  readonly storeMilliseconds?: number;
  /** The first pause before the fleet's version is tried again after it failed here, in ms. It doubles, up to 20 times. */
  readonly retryMilliseconds?: number;
}

export interface Failure {
  readonly version: string;
  readonly reason: string;
}

/** Makes this node run what it should: what its leader ordered, else what the fleet runs. */
export interface Converge {
  start(): void;
  stop(): Promise<void>;
  /** This node gave a version up by itself, outside of a probation. */
  gaveUp(failure: Failure): void;
  view(): ClusterView;
}

interface Failed extends Failure {
  readonly pause: number;
  readonly retryAt: number;
}

interface Wanted {
  readonly version: string;
  /** By the leader of a roll-out, who decides what follows a failure. */
  readonly isOrdered: boolean;
  /** An order to return to what the fleet runs: that version has proved itself. */
  readonly isReturn: boolean;
}

export function converge(options: ConvergeOptions): Converge {
  const { node, store, codeStore, live, events } = options;
  const storeMilliseconds = options.storeMilliseconds ?? 10_000;
  const firstPause = options.retryMilliseconds ?? 30_000;
  const stopping = new AbortController();
  const oneAtATime = serial();
  let failed: Failed | undefined;
  let problem: string | undefined;
  let cutOffSince: number | undefined;
  let nodes: readonly NodeRecord[] = [];
  let judged: number | undefined;
  let isFirstLook = true;
  let loop: Promise<void> | undefined;
  let news: News | undefined;

  function failure({ version, reason }: Failure): Failed {
    const pause = failed?.version === version ? Math.min(failed.pause * 2, firstPause * 20) : firstPause;
    events.log("error", `${version} failed on this node: ${reason}`, { version });
    return { version, reason, pause, retryAt: performance.now() + pause };
  }

  /** Ends a probation whose result is known. Needs no store: a bad version is taken back also when that is away. */
  async function judge(): Promise<void> {
    const probation = live.probation();
    if (probation === undefined || probation.state === "under way" || judged === probation.startedAt) return;
    if (probation.state === "passed") await live.keep();
    else {
      const reason = probation.reason ?? "it failed its probation";
      await live.revert(reason);
      failed = failure({ version: probation.version, reason });
    }
    judged = probation.startedAt;
    news?.wake();
  }

  /** What fails is this node's problem until it succeeds. */
  async function attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (problem?.startsWith(`${what}: `) === true) problem = undefined;
    } catch (error) {
      const message = `${what}: ${asError(error).message}`;
      if (problem !== message) events.log("error", message);
      problem = message;
    }
  }

  async function follow(): Promise<void> {
    const signal = stopping.signal;
    news = newsOf(store, signal, options.pollMilliseconds ?? 3000);
    while (!signal.aborted) {
      await turn();
      await news.next();
    }
  }

  async function turn(): Promise<void> {
    try {
      const wanted = await look();
      if (await approach(wanted)) await report();
      connected();
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (!(error instanceof StoreUnavailable)) events.log("error", `the store's answer: ${asError(error).message}`);
      cutOff(asError(error).message);
    }
  }

  async function look(): Promise<Wanted> {
    const own = (await ask(store.nodes(everSeconds))).find(({ id }) => id === node);
    if (isFirstLook && failed === undefined && own?.failed !== undefined) {
      failed = failure({ version: own.failed, reason: "it failed before this node was restarted" });
    }
    isFirstLook = false;
    await report();
    nodes = await ask(store.nodes(livingSeconds));
    const active = (await ask(store.activeVersion())) ?? "v0";
    const desired = own?.desired;
    return { version: desired ?? active, isOrdered: desired !== undefined, isReturn: desired === active };
  }

  /** @returns whether there is something new to report */
  async function approach({ version, isOrdered, isReturn }: Wanted): Promise<boolean> {
    if (live.active === version) {
      const isNew = failed !== undefined;
      failed = undefined;
      return isNew;
    }
    if (failed !== undefined && failed.version === version && (isOrdered || performance.now() < failed.retryAt)) {
      return false;
    }
    try {
      const read = await fetch(version);
      await oneAtATime(async () => {
        const probation = live.probation();
        const isWarm = isOf(probation, live.active) && probation.state === "under way" && probation.former === version;
        if (isReturn && isWarm) {
          judged = probation.startedAt;
          await live.revert("the roll-out was rolled back");
        } else await live.activate(read);
        if (!isReturn || isWarm) return;
        await live.keep();
        judged = live.probation()?.startedAt;
      });
      failed = undefined;
      events.log("info", `runs ${live.active}`, { version: live.active });
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      failed = failure({ version, reason: asError(error).message });
    }
    return true;
  }

  /** From this node's disk, else from the store. One of the same id and another hash is of a database that was replaced. */
  async function fetch(id: string): Promise<Version> {
    if (id === "v0") return await options.firstVersion();
    const [kept, stored] = [await codeStore.read(id), await ask(store.version(id))];
    if (kept !== undefined && (stored === undefined || stored.hash === kept.hash)) return kept;
    if (stored === undefined) throw new Error(`${id} is neither on this node's disk nor in the store`);
    const hash = createHash("sha256").update(canonicalJson(stored.sources)).digest("hex");
    if (stored.id !== id || hash !== stored.hash) throw new Error(`${id} in the store does not have its hash`);
    await codeStore.write(stored);
    return stored;
  }

  async function report(): Promise<void> {
    const probation = live.probation();
    await ask(
      store.report({
        id: node,
        address: options.address?.(),
        active: live.active,
        problem: failed === undefined ? (live.problem() ?? problem) : `${failed.version}: ${failed.reason}`,
        probation: isOf(probation, live.active) ? probation.state : undefined,
        failed: failed?.version,
      }),
    );
  }

  /** A store whose connection hangs is away. */
  async function ask<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const seconds = Math.round(storeMilliseconds / 1000);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new StoreUnavailable(`the store did not answer within ${seconds} s`)),
      storeMilliseconds,
    );
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  function cutOff(reason: string): void {
    if (cutOffSince !== undefined) return;
    cutOffSince = Date.now();
    events.log("warn", `cut off from the store, goes on with ${live.active}: ${reason}`);
  }

  function connected(): void {
    if (cutOffSince !== undefined) events.log("info", "the store can be reached again");
    cutOffSince = undefined;
  }

  if (options.failed !== undefined) failed = failure(options.failed);
  const watch = inTurns(
    () => attempt("the probation's end", () => oneAtATime(judge)),
    () => options.probationMilliseconds ?? 200,
    () => {},
  );
  return {
    start() {
      watch.start();
      loop ??= follow();
    },
    async stop() {
      stopping.abort();
      await Promise.all([watch.stop(), loop]);
      news?.close();
    },
    gaveUp(given) {
      failed = failure(given);
      news?.wake();
    },
    view: () => ({ nodes, ...(cutOffSince === undefined ? {} : { cutOffSince }) }),
  };
}

function isOf(probation: Probation | undefined, version: string): probation is Probation {
  return probation?.version === version;
}

function serial() {
  let last: Promise<unknown> = Promise.resolve();
  return <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
