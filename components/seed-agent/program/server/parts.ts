import type { FastifyPluginAsync } from "fastify";
import type { Cluster } from "../cluster/cluster.ts";
import type { Version } from "../domain.ts";
import type { Events, Exposition } from "../events.ts";
import type { HealthChecks } from "../health/health.ts";
import type { Fence } from "../hot-reload/version-host.ts";
import type { Improver } from "../improve/improver.ts";
import type { Live } from "../live/live.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";

/** What the endpoints work with. */
export interface SeedServerParts {
  readonly settings: Settings;
  /** The program's own version. */
  readonly release: string;
  readonly fence: Fence;
  readonly live: Live;
  readonly pipeline: Pipeline;
  readonly store: Store;
  readonly cluster: Cluster;
  readonly events: Events & Exposition;
  readonly health: HealthChecks;
  /** `v0`, which is not in the store. */
  readonly firstVersion: () => Promise<Version>;
  readonly improve?: Pick<Improver, "improveNow" | "budget" | "mode">;
  /** What peers call, below `/cluster`; it authenticates them itself. */
  readonly peerRoutes?: FastifyPluginAsync;
}

/** In ms, bytes and counts. Tests have shorter ones. */
export const serverLimits = {
  controlBody: 2 * 1024 * 1024,
  agentBody: 64 * 1024,
  /** Of headers altogether; above, the answer is 431. */
  headers: 16 * 1024,
  /** How long a client may take for its headers, and for the whole request. */
  headersMilliseconds: 10_000,
  requestMilliseconds: 30_000,
  /** Node looks for clients that are too slow only this often. */
  slowCheckMilliseconds: 2_000,
  keepAliveMilliseconds: 20_000,
  /** How many requests may be under way to the agent's process. */
  agentRequests: 100,
  /** How long requests under way may take when the server closes, besides SEED_CALL_SECONDS. */
  graceMilliseconds: 5_000,
};
export type ServerLimits = typeof serverLimits;
