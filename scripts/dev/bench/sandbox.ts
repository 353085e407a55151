import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { openSessions } from "../../../components/sandbox/sessions/client.ts";
import { readServiceFile } from "../../../components/sandbox/sessions/folder.ts";
import { startSessionService } from "../../../components/sandbox/sessions/runner/run.ts";
import { workerdBinary } from "../../../components/sandbox/sessions/runner/workerd.ts";
import { instantManager } from "./instant-manager.ts";
import { freePort, inTurn, type Measure, percentile, ratio } from "./measure.ts";
import { startMeasures } from "./sandbox-start.ts";
import { streamMeasures } from "./sandbox-stream.ts";

/** Prompts that four clients send at once. */
const messages = 200;
const clients = 4;
const idleSessions = 200;

/**
 * Sandboxes: from a start to the stub's first answer, against a bare sandbox of the same provider that runs one program;
 * messages through the session service, against a bare Durable Object on the same workerd; the memory of idle sessions; and
 * from a runtime's text to the terminal. In turn in one run, so that the machine's speed and other load cancel out.
 */
export async function* sandboxMeasures(folder: string): AsyncGenerator<Measure> {
  mkdirSync(folder, { recursive: true });
  yield* startMeasures(folder);
  yield* sessionMeasures(folder);
  yield* streamMeasures(join(folder, "stream"));
}

async function* sessionMeasures(folder: string): AsyncGenerator<Measure> {
  const own = join(folder, "sessions");
  const { spec } = sandboxOf("bench", { repo: "me/app" });
  const stop = await startSessionService({
    ...{ folder: own, manager: instantManager(async (text) => text), secrets: () => ({}), log: () => {} },
    changeling: () => ({ spec }),
  });
  const bare = await startBareObject(join(folder, "bare"));
  try {
    const client = openSessions({ folder: own, person: "bench" });
    const { id } = await client.create({ changeling: "bench", limits: {} });
    for await (const event of client.events(id)) if (event.type === "ready") break;
    const latencies = { ours: [] as number[], other: [] as number[] };
    const send = (times: number[], post: (index: number) => Promise<unknown>) => () =>
      seconds(async () => {
        const all = Array.from({ length: messages }, (_, index) => index);
        await Promise.all(
          Array.from({ length: clients }, async () => {
            for (let index = all.pop(); index !== undefined; index = all.pop()) {
              const next = index;
              times.push(await seconds(() => post(next)));
            }
          }),
        );
      });
    const posted = await inTurn(
      3,
      send(latencies.ours, (index) => client.send(id, `prompt ${index}`)),
      send(latencies.other, (index) => bare.post(`prompt ${index}`)),
    );
    yield ratio("a message to a session", posted, 1.25, "a row of a bare Durable Object", messages);
    const p99 = { ours: percentile(latencies.ours, 0.99), other: percentile(latencies.other, 0.99) };
    yield ratio("the same, 99th percentile", p99, 1.25, "a row of a bare Durable Object");
    const before = residentMb(own);
    for (let made = 0; made < idleSessions; made++) await client.create({ changeling: "bench", limits: {} });
    await sleep(2000);
    const used = residentMb(own);
    const detail = `workerd with ${idleSessions} sessions; ${before.toFixed(0)} MB before`;
    yield { name: "memory of idle sessions", value: used, unit: "MB", bar: 300, detail };
  } finally {
    await bare.stop();
    await stop();
  }
}

/** A Durable Object that stores what it gets, and does nothing else. */
const bareWorker = `import { DurableObject } from "cloudflare:workers";
export class Rows extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)");
  }
  async fetch(request) {
    const row = this.ctx.storage.sql.exec("INSERT INTO rows(text) VALUES(?) RETURNING id", await request.text()).one();
    return Response.json({ id: row.id });
  }
}
export default { fetch: (request, env) => env.ROWS.get(env.ROWS.idFromName("one")).fetch(request) };
`;

async function startBareObject(folder: string) {
  mkdirSync(join(folder, "state"), { recursive: true });
  const port = await freePort();
  writeFileSync(join(folder, "worker.mjs"), bareWorker);
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .rows), (name = "disk", disk = (path = "state", writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ],
);
const rows :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "worker.mjs") ],
  compatibilityDate = "2026-07-01",
  durableObjectNamespaces = [ (className = "Rows", uniqueKey = "rows", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "ROWS", durableObjectNamespace = "Rows") ],
);
`,
  );
  const child = spawn(workerdBinary(), ["serve", "config.capnp"], { cwd: folder, stdio: "ignore" });
  const post = async (text: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: text });
    return response.json();
  };
  for (let attempt = 0; ; attempt++) {
    try {
      await post("first");
      break;
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(100);
    }
  }
  return {
    post,
    async stop() {
      child.kill();
      await once(child, "exit");
    },
  };
}

/** Of the service's workerd, in MB. */
function residentMb(folder: string): number {
  const pid = readServiceFile(folder)?.workerd?.pid ?? 0;
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
