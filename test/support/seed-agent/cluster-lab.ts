import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Peer } from "../../../components/seed-agent/program/cluster/cluster.ts";
import { PostgresDatabase } from "../../../components/seed-agent/program/database/postgres.ts";
import type { Change } from "../../../components/seed-agent/program/domain.ts";
import { endStates } from "../../../components/seed-agent/program/domain.ts";
import { openStore } from "../../../components/seed-agent/program/store/open.ts";
import { compileCache } from "../compile-cache.ts";
import { type Behaviours, handleOf, type NodeSettings } from "./node-settings.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "node-program.ts");

export interface View {
  readonly active: string;
  readonly peers: readonly Peer[];
  readonly view: { readonly nodes: readonly { readonly id: string }[]; readonly cutOffSince?: number };
  readonly problem?: string;
}

export interface LabNode {
  readonly id: string;
  readonly settings: NodeSettings;
  /** Its output since the lab began. */
  readonly output: () => string;
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** kill -9, and waits for its end. */
  kill(): Promise<void>;
  view(): Promise<View>;
}

export interface LabOptions {
  readonly databaseUrl: string;
  readonly names?: readonly string[];
  readonly settings?: (name: string) => Partial<NodeSettings>;
  /** What a node is started by, such as `ip netns exec`. */
  readonly within?: (name: string) => readonly string[];
  /** More parameters of Node. */
  readonly flags?: (name: string) => readonly string[];
  readonly environment?: (name: string) => NodeJS.ProcessEnv;
}

/** Nodes as processes of their own, each with its own address on loopback and its own folder. */
export async function clusterLab({ databaseUrl, names = ["a", "b", "c"], ...options }: LabOptions) {
  const folder = mkdtempSync(join(tmpdir(), "seed-cluster-"));
  const store = await openStore({ databaseUrl, folder });
  const database = new PostgresDatabase({ url: databaseUrl });
  const network = `127.${octet()}.${octet()}`;
  const hosts = names.map((_, index) => `${network}.${index + 1}`);
  let changes = 0;

  const nodes = names.map((id, index): LabNode => {
    const settings: NodeSettings = {
      ...{ node: id, databaseUrl, folder: join(folder, id), host: hosts[index] ?? "", port: 4000, peers: hosts },
      ...{ probationSeconds: 0.3, cookie: "correct horse battery staple", ...options.settings?.(id) },
    };
    let output = "";
    let child: ChildProcess | undefined;
    return {
      id,
      settings,
      output: () => output,
      async start() {
        const [command = "", ...before] = [...(options.within?.(id) ?? []), process.execPath];
        const env = {
          PATH: process.env["PATH"],
          ...compileCache,
          ...options.environment?.(id),
          NODE_SETTINGS: JSON.stringify(settings),
        };
        const flags = options.flags?.(id) ?? [];
        const started = spawn(command, [...before, ...flags, program], { env, stdio: ["pipe", "pipe", "pipe"] });
        child = started;
        const ready = Promise.withResolvers<void>();
        const from = output.length;
        const onData = (data: Buffer) => {
          output += data.toString();
          if (output.slice(from).includes("ready\n")) ready.resolve();
        };
        started.stdout.on("data", onData);
        started.stderr.on("data", onData);
        started.once("exit", (code, signal) => ready.reject(new Error(`${id} ended (${code ?? signal}): ${output}`)));
        await ready.promise;
        ready.promise.catch(() => {});
      },
      signal: (signal) => void child?.kill(signal),
      async kill() {
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      },
      async view() {
        const url = `http://${settings.host}:${settings.port}/view`;
        const script = `fetch(${JSON.stringify(url)}).then((it) => it.text()).then(console.log)`;
        const [command = "", ...before] = [...(options.within?.(id) ?? []), process.execPath];
        if (before.length > 0) {
          const { stdout } = await run(command, [...before, "-e", script], { timeout: 10_000 });
          return JSON.parse(stdout) as View;
        }
        return (await (await fetch(url, { signal: AbortSignal.timeout(5000) })).json()) as View;
      },
    };
  });

  return {
    ...{ databaseUrl, folder, store, nodes },
    node(id: string): LabNode {
      const found = nodes.find((node) => node.id === id);
      if (found === undefined) throw new Error(`no node ${id}`);
      return found;
    },
    /** Submits a change whose checks pass, and that is activated without a person. */
    async submit(behaviours: Behaviours = {}): Promise<Change> {
      const base = (await store.activeVersion()) ?? "v0";
      return await store.submit({
        ...{ files: { "handle.ts": handleOf(++changes, behaviours) }, summary: `change ${changes}`, base },
        ...{ answers: "same", author: "owner", activation: "by itself" },
      });
    },
    /** Waits for the change's end. */
    async ended(id: string, seconds = 60): Promise<Change> {
      for (const until = Date.now() + seconds * 1000; ; await sleep(50)) {
        const change = await store.change(id);
        if (change !== undefined && endStates.includes(change.state)) return change;
        if (Date.now() < until) continue;
        throw new Error(
          [JSON.stringify(change), JSON.stringify(await store.nodes(1e9)), ...nodes.map((node) => node.output())].join(
            "\n",
          ),
        );
      }
    },
    /** @returns the node that works on the change */
    async claimant(id: string): Promise<string | undefined> {
      const sql = "SELECT claimed_by FROM changes WHERE number = $1";
      const [row] = await database.query<{ claimed_by: string | null }>(sql, [Number(id.slice(1))]);
      return row?.claimed_by ?? undefined;
    },
    async close(): Promise<void> {
      await Promise.all(nodes.map((node) => node.kill()));
      await Promise.all([store.close(), database.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function octet(): number {
  return 1 + Math.floor(Math.random() * 254);
}
