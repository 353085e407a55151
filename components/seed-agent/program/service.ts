import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { messageOf } from "../../lib/as-error.ts";
import { converge } from "./cluster/converge.ts";
import { type Discovery, discovery } from "./cluster/discovery.ts";
import { listedPeers } from "./cluster/listed-peers.ts";
import { membership } from "./cluster/membership.ts";
import { nameClaim } from "./cluster/name-claim.ts";
import { nodeId } from "./cluster/node-id.ts";
import { peerRoutes } from "./cluster/peer-routes.ts";
import { rollOut } from "./cluster/rollout.ts";
import { DiskCodeStore } from "./code-store/disk.ts";
import { openEvents } from "./events/open-events.ts";
import { healthChecks } from "./health/health.ts";
import { checks, firstVersion as compileFirst, findFence, versionHosts } from "./hot-reload/index.ts";
import type { HostLimits } from "./hot-reload/version-host.ts";
import { modelOf } from "./improve/model.ts";
import { improver } from "./improve/model-improver.ts";
import { openLive } from "./live/open-live.ts";
import { activeVersion } from "./pipeline/parts.ts";
import { pruneVersions } from "./pipeline/prune.ts";
import { queueDepth } from "./pipeline/queue-depth.ts";
import { seedPipeline } from "./pipeline/seed-pipeline.ts";
import { monitoringServer } from "./server/monitoring-server.ts";
import { seedServer } from "./server/server.ts";
import { readSettings, type Settings } from "./settings.ts";
import { openStore } from "./store/open.ts";

export interface Service {
  /** The port that the service listens on; undefined with `HTTP_SERVER_ENABLED=false`. */
  readonly port: number | undefined;
  /** Finishes the current requests. Changes in the queue are continued after the next start. */
  close(): Promise<void>;
}

/** The environment is not valid. The message lists every invalid variable. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** How often old versions are deleted from this node's disk, in ms. */
const pruneMs = 3_600_000;

/**
 * Starts the seed agent's service.
 *
 * @param environment see `settings.ts`; `SEED_RELEASE` is the program's own version
 * @throws SettingsError, or Error if its folder or port can't be used, or if no version starts, not even `v0`
 */
export async function startService(environment: NodeJS.ProcessEnv): Promise<Service> {
  const settings = await settingsOf(environment);
  const release = environment["SEED_RELEASE"] ?? "unreleased";
  const folder = settings.SEED_DATA_DIR;
  const node = await nodeId({ given: settings.SEED_NODE, machine: environment["FLY_MACHINE_ID"], folder });
  const events = openEvents({ settings, release, node });
  const closing: (() => Promise<unknown>)[] = [];
  const close = once(async () => {
    for (const end of closing.toReversed()) {
      await end().catch((error: unknown) =>
        events.log("error", "a part of the service did not end well", { reason: messageOf(error) }),
      );
    }
  });
  try {
    return await start();
  } catch (error) {
    await close();
    throw error;
  }

  async function start(): Promise<Service> {
    const codeStore = new DiskCodeStore({ folder: settings.SEED_CODE_DIR ?? join(folder, "code") });
    closing.push(() => codeStore.close());
    const { setAside } = await codeStore.open();
    for (const { name, reason } of setAside) events.log("error", `${name} in the code store was set aside`, { reason });
    const store = await openStore({ databaseUrl: settings.DATABASE_URL, folder });
    closing.push(() => store.close());

    const fence = await findFence(settings.SEED_FENCE);
    if (fence.reason !== undefined)
      events.log("warn", "versions are not confined by bubblewrap", { reason: fence.reason });
    const limits = limitsOf(settings);
    const firstVersion = once(compileFirst);
    const onFallback = { call: (_version: string, _to: string, _reason: string): void => undefined };
    let crashed: { readonly version: string; readonly reason: string } | undefined;
    const live = await openLive({
      ...{ codeStore, store, events, limits, firstVersion, startHost: versionHosts(fence) },
      probationSeconds: settings.SEED_PROBATION_SECONDS,
      recordings: settings.SEED_RECORDINGS,
      onFallback(version, to, reason) {
        crashed ??= { version, reason };
        onFallback.call(version, to, reason);
        const entry = { node, actor: "system", action: "fallback", version, detail: `${to} runs instead: ${reason}` };
        store
          .audit(entry)
          .catch((error: unknown) =>
            events.log("warn", "a fallback is not in the audit log", { reason: messageOf(error) }),
          );
      },
    });
    closing.push(() => live.close());

    let address: string | undefined;
    const converging = converge({
      ...{ node, store, codeStore, live, events, firstVersion, failed: crashed },
      address: () => address,
    });
    onFallback.call = (version, _to, reason) => converging.gaveUp({ version, reason });
    const cluster = membership({
      ...{ node, events, version: () => live.active, converge: converging, cookie: settings.RELEASE_COOKIE },
      nameClaim: nameClaim({ node, store, events }),
      discovery: discoveryOf(settings),
      onOwnAddress(own) {
        address = own;
      },
    });

    const pipeline = seedPipeline({
      ...{ node, store, codeStore, check: checks(fence), events, limits, firstVersion },
      testMilliseconds: settings.SEED_TEST_SECONDS * 1000,
      probationSeconds: settings.SEED_PROBATION_SECONDS,
      keepVersions: settings.SEED_KEEP_VERSIONS,
      isAutomatic: () => improve.mode.name === "auto",
      rollOut: (version, former, options) => rollOut(version, former, { ...options, store, node }),
    });
    const improve = improver({
      ...{ node, settings, store, pipeline, live, events, fence, model: modelOf(settings, environment) },
      active: () => activeVersion({ store, firstVersion }),
      plan: (situation) => live.plan(situation),
    });
    const health = healthChecks({ settings, live, pipeline, store, codeStore, cluster, improve });
    closing.push(async () => health.close());
    events.gauge("cluster_size", () => cluster.size());
    events.gauge("active_version", () => Number(live.active.slice(1)));
    events.gauge("queue_depth", () => queueDepth(store));

    const server = settings.HTTP_SERVER_ENABLED
      ? seedServer({
          ...{ settings, release, fence, live, pipeline, store, cluster, events, health, firstVersion, improve },
          ...(cluster.authentication === undefined ? {} : { peerRoutes: peerRoutes(cluster.authentication) }),
        })
      : undefined;
    closing.push(() => cluster.stop());
    closing.push(() => pipeline.stop());
    closing.push(() => improve.stop());
    if (server !== undefined) {
      closing.push(() => server.close());
      await server.listen({ host: settings.SEED_HOST, port: settings.PORT, backlog: 1024 });
    }
    if (settings.SEED_MONITORING_PORT !== undefined) {
      const monitoring = monitoringServer({ health, events });
      closing.push(() => monitoring.close());
      await monitoring.listen({ host: settings.SEED_HOST, port: settings.SEED_MONITORING_PORT });
    }
    const pruning = setInterval(() => {
      pruneVersions({ store, codeStore, keepVersions: settings.SEED_KEEP_VERSIONS }).catch((error: unknown) =>
        events.log("warn", "old versions could not be deleted", { reason: messageOf(error) }),
      );
    }, pruneMs);
    closing.push(async () => clearInterval(pruning));
    cluster.start();
    pipeline.start();
    improve.start();
    const port = portOf(server?.server.address() ?? null);
    events.log("info", "the service is ready", {
      release,
      active: live.active,
      port,
      store: store.kind,
      fence: fence.name,
    });
    return { port, close };
  }
}

const secretsFile = z.record(z.string(), z.string());

async function settingsOf(environment: NodeJS.ProcessEnv): Promise<Settings> {
  const file = environment["SEED_SECRETS_FILE"];
  const secrets = file === undefined || file === "" ? {} : await readSecrets(file);
  const read = readSettings({ ...environment, ...secrets });
  if ("errors" in read) throw new SettingsError(read.errors.join("\n"));
  return read.settings;
}

async function readSecrets(file: string): Promise<Readonly<Record<string, string>>> {
  try {
    return secretsFile.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    // A message of JSON.parse or of zod could contain a secret.
    const reason =
      error instanceof Error && "code" in error ? String(error.code) : "it is not a JSON object of strings";
    throw new SettingsError(`SEED_SECRETS_FILE: ${file} can't be read: ${reason}`);
  }
}

function discoveryOf({
  SEED_PEERS: list,
  DNS_CLUSTER_QUERY: query,
  PORT: port,
  SEED_HOST: host,
}: Settings): Discovery | undefined {
  if (list !== undefined) return listedPeers(list);
  return query === undefined ? undefined : discovery({ query, port, host });
}

function limitsOf(settings: Settings): HostLimits {
  return {
    memoryMb: settings.SEED_MEMORY_MB,
    callMilliseconds: settings.SEED_CALL_SECONDS * 1000,
    startMilliseconds: 30_000,
  };
}

function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

function portOf(address: string | { readonly port: number } | null): number | undefined {
  return typeof address === "object" ? address?.port : undefined;
}
