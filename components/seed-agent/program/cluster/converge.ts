import { messageOf } from "../../../lib/as-error.ts";
import type { CodeStore } from "../code-store/code-store.ts";
import type { NodeRecord, Version } from "../domain.ts";
import type { Events } from "../events.ts";
import type { Live, Probation } from "../live/live.ts";
import { SerialQueue } from "../serial-queue.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import { withTimeout } from "../with-timeout.ts";
import type { ClusterView } from "./cluster.ts";
import { FailedVersion, type Failure } from "./failed-version.ts";
import { fetchVersion } from "./fetch-version.ts";
import { type Notifications, notificationsOf } from "./notifications.ts";
import { repeat } from "./repeat.ts";
import { everSeconds, livingSeconds } from "./rollout.ts";

export interface ConvergeOptions {
  readonly node: string;
  /** `host:port`, as this node's peers reach it, if that is known. */
  readonly address?: () => string | undefined;
  readonly store: Pick<Store, "nodes" | "activeVersion" | "version" | "report" | "subscribe">;
  readonly codeStore: Pick<CodeStore, "read" | "write">;
  readonly live: Pick<Live, "active" | "activate" | "keep" | "revert" | "probation" | "problem">;
  readonly events: Pick<Events, "log">;
  /** `v0`, which is in no store. */
  readonly firstVersion: () => Promise<Version>;
  /** The version that put this node into a crash loop, if one did. It is not tried again at once. */
  readonly failed?: Failure | undefined;
  /** How often the store is read without a notification, in ms. Each time, this node reports that it is alive. */
  readonly pollMilliseconds?: number;
  /** How often the state of the probation is checked, in ms. */
  readonly probationMilliseconds?: number;
  /** If the store does not answer within this time, it counts as unreachable, in ms. */
  readonly storeMilliseconds?: number;
  /** The first pause before the fleet's version is tried again after it failed here, in ms. */
  readonly retryMilliseconds?: number;
}

/** Makes this node run the version that the leader of a roll-out ordered, or else the fleet's active version. */
export interface Converge {
  start(): void;
  stop(): Promise<void>;
  /** Call it when this node fell back from a version outside of a probation. */
  gaveUp(failure: Failure): void;
  view(): ClusterView;
}

interface Desired {
  readonly version: string;
  /** The leader of a roll-out ordered it, and decides what follows a failure. */
  readonly isOrdered: boolean;
  /** The order is to return to the fleet's active version, which has passed its probation before. */
  readonly isReturn: boolean;
}

export function converge(options: ConvergeOptions): Converge {
  const { node, store, codeStore, live, events, firstVersion } = options;
  const storeMilliseconds = options.storeMilliseconds ?? 10_000;
  const stopping = new AbortController();
  const activations = new SerialQueue();
  const failed = new FailedVersion(options.retryMilliseconds ?? 30_000);
  let problem: string | undefined;
  let cutOffSince: number | undefined;
  let nodes: readonly NodeRecord[] = [];
  /** When the last probation began whose result was applied. */
  let applied: number | undefined;
  let isFirstRead = true;
  let loop: Promise<void> | undefined;
  let notifications: Notifications | undefined;

  function fail(failure: Failure): void {
    failed.set(failure);
    events.log("error", `${failure.version} failed on this node: ${failure.reason}`, { version: failure.version });
  }

  /** Keeps or reverts a version whose probation has ended. Needs no store: a bad version is reverted without one, too. */
  async function applyProbation(): Promise<void> {
    const probation = live.probation();
    if (probation === undefined || probation.state === "under way" || applied === probation.startedAt) return;
    if (probation.state === "passed") await live.keep();
    else {
      const reason = probation.reason ?? "it failed its probation";
      await live.revert(reason);
      fail({ version: probation.version, reason });
    }
    applied = probation.startedAt;
    notifications?.wake();
  }

  /** Remembers an error as this node's problem until the probation's result could be applied. */
  async function watchProbation(): Promise<void> {
    try {
      await activations.run(applyProbation);
      problem = undefined;
    } catch (error) {
      const message = `the probation's end: ${messageOf(error)}`;
      if (problem !== message) events.log("error", message);
      problem = message;
    }
  }

  async function followStore(): Promise<void> {
    const { signal } = stopping;
    notifications = notificationsOf(store, signal, options.pollMilliseconds ?? 3000);
    while (!signal.aborted) {
      await convergeOnce();
      await notifications.next();
    }
  }

  async function convergeOnce(): Promise<void> {
    try {
      if (await approach(await readDesired())) await report();
      connected();
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (!(error instanceof StoreUnavailable)) events.log("error", `the store's answer: ${messageOf(error)}`);
      cutOff(messageOf(error));
    }
  }

  async function readDesired(): Promise<Desired> {
    const own = (await inTime(store.nodes(everSeconds))).find(({ id }) => id === node);
    if (isFirstRead && failed.get() === undefined && own?.failed !== undefined) {
      fail({ version: own.failed, reason: "it failed before this node was restarted" });
    }
    isFirstRead = false;
    await report();
    nodes = await inTime(store.nodes(livingSeconds));
    const active = (await inTime(store.activeVersion())) ?? "v0";
    const desired = own?.desired;
    return { version: desired ?? active, isOrdered: desired !== undefined, isReturn: desired === active };
  }

  /** @returns whether there is something new to report */
  async function approach({ version, isOrdered, isReturn }: Desired): Promise<boolean> {
    if (live.active === version) {
      const isNew = failed.get() !== undefined;
      failed.clear();
      return isNew;
    }
    if (!failed.mayTry(version, isOrdered)) return false;
    try {
      const stored = (id: string) => inTime(store.version(id));
      const fetched = await fetchVersion(version, { codeStore, stored, firstVersion });
      await activations.run(() => activate(fetched, isReturn));
      failed.clear();
      events.log("info", `runs ${live.active}`, { version: live.active });
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      fail({ version, reason: messageOf(error) });
    }
    return true;
  }

  async function activate(version: Version, isReturn: boolean): Promise<void> {
    const probation = live.probation();
    const isWarm = isOf(probation, live.active) && probation.state === "under way" && probation.former === version.id;
    if (isReturn && isWarm) {
      applied = probation.startedAt;
      await live.revert("the roll-out was rolled back");
      return;
    }
    await live.activate(version);
    if (!isReturn) return;
    await live.keep();
    applied = live.probation()?.startedAt;
  }

  async function report(): Promise<void> {
    const probation = live.probation();
    const failure = failed.get();
    await inTime(
      store.report({
        id: node,
        address: options.address?.(),
        active: live.active,
        problem: failure === undefined ? (live.problem() ?? problem) : `${failure.version}: ${failure.reason}`,
        probation: isOf(probation, live.active) ? probation.state : undefined,
        failed: failure?.version,
      }),
    );
  }

  /** A store whose connection hangs counts as unreachable. */
  function inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const seconds = Math.round(storeMilliseconds / 1000);
    const error = () => new StoreUnavailable(`the store did not answer within ${seconds} s`);
    return withTimeout(answer, storeMilliseconds, error);
  }

  function cutOff(reason: string): void {
    if (cutOffSince !== undefined) return;
    cutOffSince = Date.now();
    events.log("warn", `cut off from the store, continues with ${live.active}: ${reason}`);
  }

  function connected(): void {
    if (cutOffSince !== undefined) events.log("info", "the store can be reached again");
    cutOffSince = undefined;
  }

  if (options.failed !== undefined) fail(options.failed);
  const probationWatch = repeat(
    watchProbation,
    () => options.probationMilliseconds ?? 200,
    () => {},
  );
  return {
    start() {
      probationWatch.start();
      loop ??= followStore();
    },
    async stop() {
      stopping.abort();
      await Promise.all([probationWatch.stop(), loop]);
      notifications?.close();
    },
    gaveUp(failure) {
      fail(failure);
      notifications?.wake();
    },
    view: () => ({ nodes, ...(cutOffSince === undefined ? {} : { cutOffSince }) }),
  };
}

function isOf(probation: Probation | undefined, version: string): probation is Probation {
  return probation?.version === version;
}
