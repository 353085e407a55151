import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { WebSocket } from "ws";
import * as z from "zod/mini";
import { v8Options } from "../../../components/web/forwarding/supervise.ts";
import { SetupError } from "../../stack/setup/progress.mjs";
import { startMngrForward } from "./forwarding-peer.ts";
import type { Listening } from "./forwarding-program.ts";
import { type Load, load, loadConnections } from "./load.ts";
import { inTurn, type Measure, median } from "./measure.ts";
import { processorSeconds } from "./processor.ts";
import { residentMegabytes } from "./scheduler.ts";

const listening = z.object({ url: z.string(), headers: z.record(z.string(), z.string()) });

/** A measured server, with the process that does its work. */
interface Measured extends Listening {
  readonly pid: number;
}

interface Running extends Measured {
  readonly process: ChildProcess;
}

/** Short and many, so that other load affects both sides alike. */
const rounds = 21;
const streamRounds = 5;
const bytes = 1 << 30;
const idleSockets = 1000;

/**
 * Compares the forwarding server, logins included, with a bare Node reverse proxy and with `mngr forward`, all in front
 * of the same agent's server. The sides take turns.
 */
export async function* forwardingMeasures(folder: string): AsyncGenerator<Measure> {
  mkdirSync(folder, { recursive: true });
  const started: Running[] = [];
  const start = async (...args: string[]): Promise<Running> => {
    const program = await startProgram(args);
    started.push(program);
    return program;
  };
  try {
    const agent = await start("agent");
    const bare = await start("bare", agent.url);
    const ours = await start("ours", agent.url, join(folder, "forwarding"));
    yield* requestMeasures(ours, bare, { name: "a bare proxy", rps: 1.25, p99: 1.25, processor: 1.4 });
    yield* peerMeasures(ours, agent, join(folder, "peer"));
    yield* streamMeasures(ours, bare);
    // A server without earlier load, so that this also measures what streams leave behind.
    yield* socketMeasures(await start("ours", agent.url, join(folder, "forwarding-idle")));
  } finally {
    for (const { process } of started) await ended(process);
  }
}

async function* peerMeasures(ours: Running, agent: Running, folder: string): AsyncGenerator<Measure> {
  try {
    await using peer = await startMngrForward(folder, agent.url);
    yield* requestMeasures(ours, peer, { name: "mngr forward", rps: 1, p99: 1, processor: 1 });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`not compared with mngr forward: ${error.message}\n`);
  }
}

/**
 * Limits on the ratios: the other's requests per second to ours, our latency to the other's, and our processor time per
 * request to the other's. On a busy machine, trust the last.
 */
interface Other {
  readonly name: string;
  readonly rps: number;
  readonly p99: number;
  readonly processor: number;
}

async function* requestMeasures(ours: Measured, other: Measured, { name, ...bars }: Other): AsyncGenerator<Measure> {
  const loads: { ours: Load[]; other: Load[] } = { ours: [], other: [] };
  for (const each of [ours, other]) await load(each, { seconds: 3 }); // until both are JIT-compiled
  const before = { ours: await processorSeconds(ours.pid), other: await processorSeconds(other.pid) };
  await inTurn(
    rounds,
    async () => loads.ours.push(await load(ours)),
    async () => loads.other.push(await load(other)),
  );
  const used = async (of: "ours" | "other", pid: number) =>
    ((await processorSeconds(pid)) - before[of]) / loads[of].reduce((sum, { requests }) => sum + requests.total, 0);
  const perRequest = { ours: await used("ours", ours.pid), other: await used("other", other.pid) };
  const rps = (all: readonly Load[]) => median(all.map(({ requests }) => requests.average));
  const p99 = (all: readonly Load[]) => median(all.map(({ latency }) => latency.p99));
  yield {
    name: `forwarding: requests per second of ${name} to ours`,
    value: rps(loads.other) / rps(loads.ours),
    unit: "ratio",
    bar: bars.rps,
    detail: `ours ${rps(loads.ours).toFixed(0)}, theirs ${rps(loads.other).toFixed(0)}, over ${loadConnections} connections`,
  };
  yield {
    name: `forwarding: 99th percentile of our latency to that of ${name}`,
    value: p99(loads.ours) / p99(loads.other),
    unit: "ratio",
    bar: bars.p99,
    detail: `ours ${p99(loads.ours)} ms, theirs ${p99(loads.other)} ms, ${busyText()}`,
  };
  yield {
    name: `forwarding: our processor time per request to that of ${name}`,
    value: perRequest.ours / perRequest.other,
    unit: "ratio",
    bar: bars.processor,
    detail: `ours ${microseconds(perRequest.ours)}, theirs ${microseconds(perRequest.other)}`,
  };
}

/** How many programs want a processor, and how many processors there are. */
function busyText(): string {
  return `load ${(loadavg()[0] ?? 0).toFixed(1)} on ${availableParallelism()} processors`;
}

function microseconds(seconds: number): string {
  return `${(seconds * 1e6).toFixed(0)} µs`;
}

async function* streamMeasures(ours: Running, bare: Running): AsyncGenerator<Measure> {
  for (const [what, stream] of [["down", download] as const, ["up", upload] as const]) {
    const before = await residentMegabytes(ours.pid);
    let most = before;
    const timer = setInterval(async () => {
      most = Math.max(most, await residentMegabytes(ours.pid));
    }, 200);
    const usedBefore = { ours: await processorSeconds(ours.pid), bare: await processorSeconds(bare.pid) };
    const seconds = await inTurn(
      streamRounds,
      () => stream(ours),
      () => stream(bare),
    );
    clearInterval(timer);
    yield {
      name: `forwarding: 1 GB ${what}, against a bare proxy`,
      value: seconds.ours / seconds.other,
      unit: "ratio",
      bar: 1.25,
      detail: `ours ${seconds.ours.toFixed(2)} s, bare ${seconds.other.toFixed(2)} s, ${busyText()}`,
    };
    const oursUsed = (await processorSeconds(ours.pid)) - usedBefore.ours;
    const bareUsed = (await processorSeconds(bare.pid)) - usedBefore.bare;
    yield {
      name: `forwarding: processor time of 1 GB ${what}, against a bare proxy`,
      value: oursUsed / bareUsed,
      unit: "ratio",
      bar: 1.25,
      detail: `ours ${(oursUsed / streamRounds).toFixed(2)} s, bare ${(bareUsed / streamRounds).toFixed(2)} s`,
    };
    yield { name: `forwarding: memory that 1 GB ${what} takes`, value: most - before, unit: "MB", bar: 100 };
  }
}

async function* socketMeasures(ours: Running): AsyncGenerator<Measure> {
  const url = ours.url.replace("http:", "ws:");
  const sockets: WebSocket[] = [];
  const before = await residentMegabytes(ours.pid);
  for (let i = 0; i < idleSockets; i += 1) {
    const socket = new WebSocket(url, { headers: ours.headers, perMessageDeflate: false });
    sockets.push(socket);
    await once(socket, "open");
  }
  const value = await residentMegabytes(ours.pid);
  const detail = `${before.toFixed(0)} MB before`;
  yield { name: `forwarding: memory with ${idleSockets} idle WebSockets`, value, unit: "MB", bar: 150, detail };
  for (const socket of sockets) socket.terminate();
}

/** In seconds. */
async function download({ url, headers }: Listening): Promise<number> {
  const outgoing = request(`${url}/bytes/${bytes}`, { headers, agent: false });
  return await timedTransfer(async () => {
    outgoing.end();
    const [incoming] = await once(outgoing, "response");
    let read = 0;
    for await (const chunk of incoming) read += chunk.length;
    return read;
  });
}

/** In seconds. */
async function upload({ url, headers }: Listening): Promise<number> {
  const outgoing = request(url, { method: "POST", headers: { ...headers, "Content-Length": bytes }, agent: false });
  return await timedTransfer(async () => {
    const part = Buffer.alloc(64 * 1024);
    const parts = function* () {
      for (let left = bytes; left > 0; left -= part.length) yield part;
    };
    Readable.from(parts(), { objectMode: false }).pipe(outgoing);
    const [incoming] = await once(outgoing, "response");
    let text = "";
    for await (const chunk of incoming) text += chunk;
    return Number(text);
  });
}

async function timedTransfer(transfer: () => Promise<number>): Promise<number> {
  const started = performance.now();
  const arrived = await transfer();
  if (arrived !== bytes) throw new Error(`${arrived} of ${bytes} bytes arrived`);
  return (performance.now() - started) / 1000;
}

async function startProgram(args: readonly string[]): Promise<Running> {
  const file = join(import.meta.dirname, "forwarding-program.ts");
  const child = spawn(process.execPath, [...v8Options, file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    return { ...listening.parse(JSON.parse(line)), process: child, pid: child.pid ?? 0 };
  }
  throw new Error(`${args[0]} did not start`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill();
  await once(child, "close");
}
