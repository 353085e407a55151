import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { openSeedAgent, type SeedClient } from "../../../components/seed-agent/client.ts";
import { type ChangeState, endStates } from "../../../components/seed-agent/program/domain.ts";
import { type Load, load, loadConnections } from "./load.ts";
import { freePort, inTurn, type Measure, median } from "./measure.ts";
import { processorSeconds } from "./processor.ts";

/** Short and many, so that other load affects both sides alike. */
const rounds = 21;
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
  const loads: { ours: Round[]; other: Round[] } = { ours: [], other: [] };
  for (const each of [ours, bare]) await round(each, 3); // until both are JIT-compiled
  await inTurn(
    rounds,
    async () => loads.ours.push(await round(ours)),
    async () => loads.other.push(await round(bare)),
  );
  const sum = (all: readonly Round[], of: (each: Round) => number) => all.reduce((total, each) => total + of(each), 0);
  const perRequest = (all: readonly Round[]) =>
    sum(all, ({ processor }) => processor) / sum(all, ({ requests }) => requests.total);
  const rps = (all: readonly Round[]) => median(all.map(({ requests }) => requests.average));
  const p99 = (all: readonly Round[]) => median(all.map(({ latency }) => latency.p99));
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
    // Ours includes what the service does besides: it looks at its queue and its cluster.
    ...{ value: perRequest(loads.ours) / perRequest(loads.other), unit: "ratio", bar: 1.25 },
    detail: `ours ${microseconds(perRequest(loads.ours))}, bare ${microseconds(perRequest(loads.other))}`,
  };
  yield await activation(ours);
}

/**
 * The agent's latency while a new version is started, switched to and watched, against that before. A request that fails
 * fails the benchmark.
 */
async function activation({ url }: Running): Promise<Measure> {
  const client = openSeedAgent({ url, token });
  const agent = { url: `${url}/agent/`, headers: {} };
  const few = { seconds: 3, connections: 4 };
  await load(agent, few);
  const p99: { during: number[]; idle: number[] } = { during: [], idle: [] };
  for (let number = 1; number <= activations; number++) {
    const files = { "number.ts": `export const number = ${number};\n` };
    const { id } = await client.submit({ files, summary: "Count activations" });
    await untilState(client, id, "waiting");
    p99.idle.push((await load(agent, few)).latency.p99);
    const during = load(agent, few);
    await client.approve(id);
    p99.during.push((await during).latency.p99);
    await untilState(client, id, "active");
  }
  // They are measured in whole milliseconds.
  const { during, idle } = { during: Math.max(1, median(p99.during)), idle: Math.max(1, median(p99.idle)) };
  const name = "seed agent: 99th percentile of an answer during an activation, to that before";
  return { name, value: during / idle, unit: "ratio", bar: 1.5, detail: `${during} ms, before ${idle} ms` };
}

async function untilState(client: SeedClient, id: string, wanted: ChangeState): Promise<void> {
  for (;;) {
    const { state, reason } = await client.change(id);
    if (state === wanted) return;
    if (endStates.includes(state)) throw new Error(`${id} is ${state}: ${reason}`);
    await sleep(200);
  }
}

interface Round extends Load {
  /** Processor time of the server in this round alone, in seconds: between the rounds the service does other work. */
  readonly processor: number;
}

async function round({ url, pid }: Running, seconds = 1): Promise<Round> {
  const before = await processorSeconds(pid);
  const result = await load({ url: `${url}/health`, headers: {} }, { seconds });
  return { ...result, processor: (await processorSeconds(pid)) - before };
}

const token = "token-of-the-benchmark";
const activations = 3;

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
      ...{ SEED_DATA_DIR: folder, SEED_CONTROL_TOKEN: token, SEED_AGENT_PUBLIC: "true", SEED_PROBATION_SECONDS: "2" },
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
  // What the start left to the garbage collector is gone by then.
  await sleep(5000);
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
