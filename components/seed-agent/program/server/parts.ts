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

/** The parts of the service that the endpoints use. */
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
  /** `v0`, which is in no store. */
  readonly firstVersion: () => Promise<Version>;
  readonly improve?: Pick<Improver, "improveNow" | "budget" | "mode">;
  /** The routes that peers call, below `/cluster`. They authenticate peers themselves. */
  readonly peerRoutes?: FastifyPluginAsync;
}

/** Limits in ms, bytes and counts. Tests use lower ones. */
export const serverLimits = {
  controlBody: 2 * 1024 * 1024,
  agentBody: 64 * 1024,
  /** The limit of all headers together. If they exceed it, the answer is 431. */
  headers: 16 * 1024,
  /** How long a client may take to send its headers, and the whole request. */
  headersMilliseconds: 10_000,
  requestMilliseconds: 30_000,
  /** How often Node checks for clients that are too slow. */
  slowCheckMilliseconds: 2_000,
  keepAliveMilliseconds: 20_000,
  /** How many requests the agent handles at the same time. */
  agentRequests: 100,
  /** How much longer than SEED_CALL_SECONDS current requests may take when the server closes. */
  graceMilliseconds: 5_000,
};
export type ServerLimits = typeof serverLimits;
