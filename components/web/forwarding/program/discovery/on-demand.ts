import type { InstallationPaths } from "../../../../host/installation-paths.ts";
import type { Log } from "../../../../host/log.ts";
import type { WebRecord } from "../../../agent/record.ts";

/** Delay after a failed start before the next one, in milliseconds. */
const pauseMs = 60_000;

export interface OnDemandOptions {
  readonly paths: InstallationPaths;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** Called when a start has ended, successfully or not. */
  readonly onEnd: (agentId: string) => void;
}

/**
 * Starts an agent whose machine has ended when somebody opens its page. Modal limits the life of machines, and containers
 * end with the machine that they run on.
 */
export class OnDemand {
  readonly #options: OnDemandOptions;
  /** By agent id. */
  readonly #starting = new Set<string>();
  readonly #failedAt = new Map<string, number>();

  constructor(options: OnDemandOptions) {
    this.#options = options;
  }

  /** @returns whether it is starting now; false if it is declared as stopped, or a start has just failed */
  start(record: WebRecord): boolean {
    const { agentId: id, applied, provider } = record;
    const failedAt = this.#failedAt.get(id) ?? Number.NEGATIVE_INFINITY;
    const isWanted = provider !== "local" && applied?.enabled === true;
    if (this.#starting.has(id)) return true;
    if (!isWanted || performance.now() < failedAt + pauseMs) return false;
    this.#starting.add(id);
    void this.#start(record).finally(() => {
      this.#starting.delete(id);
      this.#options.onEnd(id);
    });
    return true;
  }

  async #start(record: WebRecord): Promise<void> {
    const { log } = this.#options;
    log(`${record.name} is started, because somebody opened its page`);
    try {
      await starts[record.provider === "docker" ? "docker" : "modal"](record, this.#options);
      this.#failedAt.delete(record.agentId);
    } catch (error) {
      this.#failedAt.set(record.agentId, performance.now());
      log(`${record.name} could not be started: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Loaded lazily, so that each provider only loads when used. */
const starts = {
  async docker(record: WebRecord, { env }: OnDemandOptions): Promise<void> {
    const { ensureStarted } = await import("../../../docker/provider.ts");
    await ensureStarted(record, env);
  },
  async modal(record: WebRecord, { paths, env }: OnDemandOptions): Promise<void> {
    const [{ ensureStarted }, { keptModalToken }] = await Promise.all([
      import("../../../modal/provider.ts"),
      import("../../../../modal/kept-token.ts"),
    ]);
    await ensureStarted(record, { token: keptModalToken(paths.forwarding, env), env });
  },
};
