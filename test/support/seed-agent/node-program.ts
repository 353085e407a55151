/**
 * One node of a cluster, for tests: the real store, queue, `live`, roll-out, discovery and authentication. Only the
 * versions' processes are missing, and the checks of a change: its `handle.ts` says what a version does,
 * as JSON by node. So a cluster of these starts within a second, and can be killed hundreds of times.
 */
import { mkdirSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import Fastify from "fastify";
import { converge } from "../../../components/seed-agent/program/cluster/converge.ts";
import { discovery } from "../../../components/seed-agent/program/cluster/discovery.ts";
import type { Failure } from "../../../components/seed-agent/program/cluster/failed-version.ts";
import { membership } from "../../../components/seed-agent/program/cluster/membership.ts";
import { nameClaim } from "../../../components/seed-agent/program/cluster/name-claim.ts";
import { peerRoutes } from "../../../components/seed-agent/program/cluster/peer-routes.ts";
import { rollOut } from "../../../components/seed-agent/program/cluster/rollout.ts";
import { DiskCodeStore } from "../../../components/seed-agent/program/code-store/disk.ts";
import type { Check } from "../../../components/seed-agent/program/hot-reload/checking.ts";
import { HostError, type StartHost } from "../../../components/seed-agent/program/hot-reload/version-host.ts";
import { openLive } from "../../../components/seed-agent/program/live/open-live.ts";
import { seedPipeline } from "../../../components/seed-agent/program/pipeline/seed-pipeline.ts";
import { openStore } from "../../../components/seed-agent/program/store/open.ts";
import { silentEvents } from "../seed-live.ts";
import { behaviourOf, nodeSettings, sourceHash } from "./node-settings.ts";

const { node, databaseUrl, folder, host, port, peers, probationSeconds, cookie } = nodeSettings(process.env);
mkdirSync(folder, { recursive: true });
const log = (level: string, message: string) => process.stdout.write(`${level} ${message}\n`);
const events = { ...silentEvents(), log };
const store = await openStore({ databaseUrl, folder });
const codeStore = new DiskCodeStore({ folder: join(folder, "code") });
await codeStore.open();

const sources = { "handle.ts": "{}" };
const first = { id: "v0", hash: sourceHash(sources), author: "owner", summary: "v0", sources, bundle: "{}" };
const firstVersion = async () => ({ ...first, createdAt: "2026-01-01T00:00:00.000Z" });

const startHost: StartHost = async ({ id, bundle }) => {
  const behaviour = behaviourOf(bundle, node);
  if (behaviour === "does not start") throw new HostError("did not start", "it does not start");
  const ended = Promise.withResolvers<{ reason: string }>();
  return {
    ...{ version: id, pid: process.pid, ended: ended.promise },
    memory: async () => 50_000_000,
    handle: async () => ({
      response: { status: 200, headers: {}, body: id },
      ...{ reads: {}, writes: {}, milliseconds: 1 },
    }),
    checks: async () => [{ name: "itself", ok: behaviour !== "fails its probation" }],
    plan: async () => undefined,
    end: async () => ended.resolve({ reason: "it was ended" }),
  };
};

const limits = { memoryMb: 256, callMilliseconds: 1000, startMilliseconds: 1000 };
const fallbacks: Failure[] = [];
let onFallback = (failure: Failure) => {
  fallbacks.push(failure);
};
const live = await openLive({
  ...{ startHost, limits, codeStore, store, events, firstVersion, probationSeconds, recordings: 0 },
  onFallback: (version, _to, reason) => onFallback({ version, reason }),
});

const check: Check = async ({ sources }) => ({
  report: { passed: true, steps: [], fence: "none", milliseconds: 0 },
  built: { hash: sourceHash(sources), bundle: sources["handle.ts"] ?? "{}" },
});
const pipeline = seedPipeline({
  ...{ node, store, codeStore, check, events, limits, testMilliseconds: 1000, probationSeconds, keepVersions: 20 },
  ...{ isAutomatic: () => true, firstVersion },
  rollOut: (version, former, options) => rollOut(version, former, { ...options, store, node }),
});

let address: string | undefined;
const converging = converge({
  ...{ node, store, codeStore, live, events, firstVersion, address: () => address, failed: fallbacks.at(-1) },
});
onFallback = (failure) => converging.gaveUp(failure);
const resolver = { resolve4: async () => peers, resolve6: async () => [] as string[] };
const cluster = membership({
  ...{ node, cookie, events, converge: converging, version: () => live.active, pollMilliseconds: 500 },
  nameClaim: nameClaim({ node, store, events }),
  discovery: discovery({ query: "seed.internal", port, host, resolver, ownAddresses: () => [] }),
  onOwnAddress: (own) => {
    address = own;
  },
});

const app = Fastify();
if (cluster.authentication !== undefined)
  await app.register(peerRoutes(cluster.authentication), { prefix: "/cluster" });
app.get("/view", () => ({
  active: live.active,
  peers: cluster.peers(),
  view: cluster.view(),
  problem: cluster.problem(),
}));
await app.listen({ host, port });
cluster.start();
pipeline.start();
// A node that is killed three times within seconds takes its version for the cause; the tests kill it more often.
await codeStore.markStarted();
// Node writes it at the end of a process, which here is usually kill -9.
flushCompileCache();
process.stdout.write("ready\n");
process.once("SIGTERM", async () => {
  await pipeline.stop();
  await cluster.stop();
  await app.close();
  await live.close();
  await codeStore.close();
  await store.close();
  process.exit(0);
});
