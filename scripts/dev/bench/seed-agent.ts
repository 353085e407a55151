import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Load, load, loadConnections } from "./load.ts";
import { freePort, inTurn, type Measure, median } from "./measure.ts";
import { processorSeconds } from "./processor.ts";

/** Short and many, so that other load affects both sides alike. */
const rounds = 15;
/** Requests per second may be a tenth lower than the bare server's. */
const bar = 1.11;

/**
 * The seed agent's service against a bare Fastify server with the same `/health`, in turn in one run, and the memory of a
 * node that does nothing: of the service and of the fenced process that runs the agent's code.
 */
export async function* seedAgentMeasures(folder: string): AsyncGenerator<Measure> {
  mkdirSync(folder, { recursive: true });
  await using ours = await startService(folder);
  await using bare = await startBare();
  yield await memory(ours.child.pid ?? 0);
  const sides = [ours, bare].map(({ url }) => ({ url: `${url}/health`, headers: {} }));
  const [our, other] = sides;
  if (our === undefined || other === undefined) return;
  for (const each of [our, other]) await load(each, { seconds: 3 }); // until both are JIT-compiled
  const loads: { ours: Load[]; other: Load[] } = { ours: [], other: [] };
  const before = { ours: await processorSeconds(ours.pid), other: await processorSeconds(bare.pid) };
  await inTurn(
    rounds,
    async () => loads.ours.push(await load(our)),
    async () => loads.other.push(await load(other)),
  );
  const total = (all: readonly Load[]) => all.reduce((sum, { requests }) => sum + requests.total, 0);
  const perRequest = {
    ours: ((await processorSeconds(ours.pid)) - before.ours) / total(loads.ours),
    other: ((await processorSeconds(bare.pid)) - before.other) / total(loads.other),
  };
  const rps = (all: readonly Load[]) => median(all.map(({ requests }) => requests.average));
  const p99 = (all: readonly Load[]) => median(all.map(({ latency }) => latency.p99));
  yield {
    name: "seed agent: requests to /health per second, of a bare Fastify server to ours",
    ...{ value: rps(loads.other) / rps(loads.ours), unit: "ratio", bar },
    detail: `ours ${rps(loads.ours).toFixed(0)}, bare ${rps(loads.other).toFixed(0)}, over ${loadConnections} connections`,
  };
  yield {
    name: "seed agent: 99th percentile of our latency to that of a bare Fastify server",
    ...{ value: p99(loads.ours) / p99(loads.other), unit: "ratio", bar },
    detail: `ours ${p99(loads.ours)} ms, bare ${p99(loads.other)} ms`,
  };
  const microseconds = (seconds: number) => `${(seconds * 1e6).toFixed(0)} µs`;
  yield {
    name: "seed agent: our processor time per request to that of a bare Fastify server",
    ...{ value: perRequest.ours / perRequest.other, unit: "ratio", bar },
    detail: `ours ${microseconds(perRequest.ours)}, bare ${microseconds(perRequest.other)}`,
  };
}

interface Running extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly child: ChildProcess;
}

/** One node with SQLite, whose agent is v0. */
async function startService(folder: string): Promise<Running> {
  const port = await freePort();
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [join("components", "seed-agent", "program", "main.ts")], {
    env: {
      ...{ PATH, HOME, PORT: String(port), SEED_HOST: "127.0.0.1", SEED_NODE: "bench", SEED_MODE: "off" },
      ...{ SEED_DATA_DIR: folder, SEED_CONTROL_TOKEN: "token-of-the-benchmark", SEED_AGENT_PUBLIC: "true" },
    },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const url = `http://127.0.0.1:${port}`;
  for (
    let attempt = 0;
    !(await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    ));
    attempt++
  ) {
    if (attempt > 300 || child.exitCode !== null) throw new Error("the seed agent does not start");
    await sleep(100);
  }
  return running(url, child);
}

async function startBare(): Promise<Running> {
  const file = join(import.meta.dirname, "bare-health.ts");
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) return running(line, child);
  throw new Error("the bare server does not start");
}

function running(url: string, child: ChildProcess): Running {
  return {
    ...{ url, child, pid: child.pid ?? 0 },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, "exit");
    },
  };
}

/** Of a process and all below it. Proportional, so that the pages of Node itself, which they share, count once. */
async function memory(pid: number): Promise<Measure> {
  await sleep(3000);
  const own = proportionalMb(pid);
  const below = descendants(pid).reduce((sum, each) => sum + proportionalMb(each), 0);
  const detail = `service ${own.toFixed(0)} MB, the agent's process ${below.toFixed(0)} MB`;
  return { name: "seed agent: memory of an idle node", value: own + below, unit: "MB", bar: 300, detail };
}

function proportionalMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
}

function descendants(pid: number): number[] {
  const parents = readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\) /s, "");
      return [{ child: Number(name), parent: Number(stat.split(" ")[1]) }];
    } catch {
      return []; // It has ended.
    }
  });
  const below = (of: number): number[] =>
    parents.flatMap(({ child, parent }) => (parent === of ? [child, ...below(child)] : []));
  return below(pid);
}
