import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { WebSocket } from "ws";
import * as z from "zod/mini";
import { v8Options } from "../../components/web/forwarding/supervise.ts";
import { SetupError } from "../setup/progress.mjs";
import { startMngrForward } from "./forwarding-peer.ts";
import type { Listening } from "./forwarding-program.ts";
import { inTurn, type Measure, median } from "./measure.ts";
import { residentMegabytes } from "./scheduler.ts";

const listening = z.object({ url: z.string(), headers: z.record(z.string(), z.string()) });

interface Running extends Listening {
  readonly process: ChildProcess;
}

const rounds = 7;
const connections = 32;
const secondsPerRound = 3;
const bytes = 1 << 30;
const idleSockets = 1000;

/**
 * The forwarding server, its logins included, against a bare reverse proxy of Node and against `mngr forward`, all before
 * the same server of an agent. The sides take turns.
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
    yield* requestMeasures(ours, bare, { name: "a bare proxy", rps: 1.25, p99: 1.25 });
    yield* peerMeasures(ours, agent, join(folder, "peer"));
    yield* streamMeasures(ours, bare);
    // A server that was not under load yet: what streams leave to it is measured with them.
    yield* socketMeasures(await start("ours", agent.url, join(folder, "forwarding-idle")));
  } finally {
    for (const { process } of started) await ended(process);
  }
}

async function* peerMeasures(ours: Running, agent: Running, folder: string): AsyncGenerator<Measure> {
  try {
    await using peer = await startMngrForward(folder, agent.url);
    yield* requestMeasures(ours, peer, { name: "mngr forward", rps: 1, p99: 1 });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`not compared with mngr forward: ${error.message}\n`);
  }
}

/** Bars are for the other's requests per second to ours, and for our latency to the other's. */
interface Other {
  readonly name: string;
  readonly rps: number;
  readonly p99: number;
}

async function* requestMeasures(ours: Listening, other: Listening, { name, ...bars }: Other): AsyncGenerator<Measure> {
  const loads: { ours: Load[]; other: Load[] } = { ours: [], other: [] };
  for (const each of [ours, other]) await load(each); // until both are compiled
  await inTurn(
    rounds,
    async () => loads.ours.push(await load(ours)),
    async () => loads.other.push(await load(other)),
  );
  const rps = (all: readonly Load[]) => median(all.map(({ requests }) => requests.average));
  const p99 = (all: readonly Load[]) => median(all.map(({ latency }) => latency.p99));
  yield {
    name: `forwarding: requests per second of ${name} to ours`,
    value: rps(loads.other) / rps(loads.ours),
    unit: "ratio",
    bar: bars.rps,
    detail: `ours ${rps(loads.ours).toFixed(0)}, theirs ${rps(loads.other).toFixed(0)}, over ${connections} connections`,
  };
  yield {
    name: `forwarding: 99th percentile of our latency to that of ${name}`,
    value: p99(loads.ours) / p99(loads.other),
    unit: "ratio",
    bar: bars.p99,
    detail: `ours ${p99(loads.ours)} ms, theirs ${p99(loads.other)} ms`,
  };
}

async function* streamMeasures(ours: Running, bare: Running): AsyncGenerator<Measure> {
  for (const [what, stream] of [["down", download] as const, ["up", upload] as const]) {
    const before = await residentMegabytes(pidOf(ours));
    let most = before;
    const timer = setInterval(async () => {
      most = Math.max(most, await residentMegabytes(pidOf(ours)));
    }, 200);
    const seconds = await inTurn(
      5,
      () => stream(ours),
      () => stream(bare),
    );
    clearInterval(timer);
    yield {
      name: `forwarding: 1 GB ${what}, against a bare proxy`,
      value: seconds.ours / seconds.other,
      unit: "ratio",
      bar: 1.25,
      detail: `ours ${seconds.ours.toFixed(2)} s, bare ${seconds.other.toFixed(2)} s`,
    };
    yield { name: `forwarding: memory that 1 GB ${what} takes`, value: most - before, unit: "MB", bar: 100 };
  }
}

async function* socketMeasures(ours: Running): AsyncGenerator<Measure> {
  const url = ours.url.replace("http:", "ws:");
  const sockets: WebSocket[] = [];
  const before = await residentMegabytes(pidOf(ours));
  for (let i = 0; i < idleSockets; i += 1) {
    const socket = new WebSocket(url, { headers: ours.headers, perMessageDeflate: false });
    sockets.push(socket);
    await once(socket, "open");
  }
  const value = await residentMegabytes(pidOf(ours));
  const detail = `${before.toFixed(0)} MB before`;
  yield { name: `forwarding: memory with ${idleSockets} idle WebSockets`, value, unit: "MB", bar: 150, detail };
  for (const socket of sockets) socket.terminate();
}

const autocannonResult = z.object({
  requests: z.object({ average: z.number() }),
  latency: z.object({ p99: z.number() }),
  errors: z.number(),
  non2xx: z.number(),
});
type Load = z.infer<typeof autocannonResult>;

async function load({ url, headers }: Listening): Promise<Load> {
  const fields = Object.entries(headers).flatMap(([name, value]) => ["--headers", `${name}=${value}`]);
  const counts = ["--connections", String(connections), "--duration", String(secondsPerRound)];
  const args = ["node_modules/autocannon/autocannon.js", "--json", "--no-progress", ...counts, ...fields, url];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  const result = autocannonResult.parse(JSON.parse(output));
  if (result.errors + result.non2xx > 0) throw new Error(`${url} did not answer every request: ${output}`);
  return result;
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
    return { ...listening.parse(JSON.parse(line)), process: child };
  }
  throw new Error(`${args[0]} did not start`);
}

function pidOf({ process: { pid } }: Running): number {
  if (pid === undefined) throw new Error("it did not start");
  return pid;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill();
  await once(child, "close");
}
