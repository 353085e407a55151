import { join } from "node:path";
import type { Cluster } from "../cluster/cluster.ts";
import type { CodeStore } from "../code-store/code-store.ts";
import type { Improver } from "../improve/improver.ts";
import type { Live } from "../live/live.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { DeepHealth, Health } from "../server/api.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";
import { agentChecks } from "./agent-checks.ts";
import { disk, eventLoop, peers, queue } from "./checks.ts";
import { type LoginProbe, loginProbe } from "./login.ts";
import { type NamedCheck, runCheck } from "./run-check.ts";

export interface HealthChecks {
  /** Does no I/O, because it is called every few seconds. */
  quick(): Health;
  /** Runs every check. Never rejects: a check that can't be run has failed. Calls at the same time share one run. */
  deep(): Promise<DeepHealth>;
  close(): void;
}

export interface HealthParts {
  readonly settings: Settings;
  readonly live: Pick<Live, "active" | "problem" | "checks">;
  readonly pipeline: Pick<Pipeline, "lastBeat">;
  readonly store: Pick<Store, "check" | "changes" | "countChanges" | "setting" | "now">;
  readonly codeStore: Pick<CodeStore, "check">;
  readonly cluster: Pick<Cluster, "node" | "peers" | "problem" | "view">;
  readonly improve?: Pick<Improver, "lastProblem" | "mode">;
  readonly login?: LoginProbe;
  /** The limit of each check. */
  readonly checkMilliseconds?: number;
}

export function healthChecks(parts: HealthParts): HealthChecks {
  const { settings, live, store, codeStore, cluster, improve, checkMilliseconds = 5000 } = parts;
  const loop = eventLoop();
  const login = parts.login ?? loginProbe(settings);
  const folders = [settings.SEED_DATA_DIR, settings.SEED_CODE_DIR ?? join(settings.SEED_DATA_DIR, "code")];
  const checks: readonly NamedCheck[] = [
    { name: "agent", run: async () => throwIf(live.problem()) },
    { name: "code store", run: () => codeStore.check() },
    { name: "database", run: () => store.check() },
    { name: "queue", run: () => queue(parts.pipeline, store, settings) },
    { name: "disk", run: () => disk(folders) },
    { name: "event loop", run: async () => loop.check() },
    // The node can serve although one of these fails. A dead peer must not take down its neighbours.
    { name: "peers", isAdvisory: true, run: async () => peers(settings, cluster) },
    { name: "model", isAdvisory: true, run: () => login(improve?.mode.name ?? settings.SEED_MODE) },
    { name: "improver", isAdvisory: true, run: async () => throwIf(improve?.lastProblem()) },
  ];
  const quick = (): Health => ({
    status: live.problem() === undefined && cluster.view().cutOffSince === undefined ? "ok" : "degraded",
    node: cluster.node,
    version: live.active,
  });
  const runAll = async (): Promise<DeepHealth> => {
    const [results, own] = await Promise.all([
      Promise.all(checks.map((check) => runCheck(check, checkMilliseconds))),
      agentChecks(live, checkMilliseconds),
    ]);
    const all = [...results, ...own];
    return { ...quick(), status: all.every(({ ok }) => ok) ? "ok" : "degraded", checks: all };
  };
  let running: Promise<DeepHealth> | undefined;
  return {
    quick,
    deep() {
      running ??= runAll().finally(() => {
        running = undefined;
      });
      return running;
    },
    close: () => loop.close(),
  };
}

function throwIf(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem);
}
