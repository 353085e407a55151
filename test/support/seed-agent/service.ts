import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSeedAgent, type SeedClient } from "../../../components/seed-agent/client.ts";
import type { Change, ChangeState } from "../../../components/seed-agent/program/domain.ts";
import { compileCache } from "../compile-cache.ts";
import { freePort } from "../free-port.ts";
import { bubblewrap } from "./fences.ts";

const main = join(import.meta.dirname, "../../../components/seed-agent/program/main.ts");

export interface ServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Of a service that was killed. */
  readonly folder?: string;
  readonly port?: number;
  readonly token?: string;
}

/** The real service in a process of its own, with its own folder. */
export interface RunningService {
  readonly url: string;
  readonly folder: string;
  readonly port: number;
  readonly token: string;
  readonly client: SeedClient;
  readonly process: ChildProcess;
  log(): string;
  /** A request to the agent. */
  ask(path: string, init?: RequestInit): Promise<{ readonly status: number; readonly body: string }>;
  /** Waits until a change has this state. @throws if it ends in another one, with the reason */
  becomes(id: string, state: ChangeState): Promise<Change>;
  /** SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

let findingFence: Promise<unknown> | undefined;

const ended: readonly ChangeState[] = ["active", "rejected", "rolled-back", "failed"];

export async function startSeedService(options: ServiceOptions = {}): Promise<RunningService> {
  // Where it does not work, the service has the permission model alone, and the reason is printed.
  findingFence ??= bubblewrap();
  await findingFence;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "seed-service-"));
  const port = options.port ?? (await freePort());
  const token = options.token ?? randomBytes(24).toString("hex");
  const child = spawn(process.execPath, [main], {
    env: {
      ...{ PATH: process.env["PATH"], HOME: folder, PORT: String(port), SEED_DATA_DIR: folder, SEED_MODE: "off" },
      ...{ SEED_CONTROL_TOKEN: token, SEED_PROBATION_SECONDS: "3", SEED_NODE: "n1" },
      ...compileCache,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      log += chunk.toString();
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const url = `http://127.0.0.1:${port}`;
  await isReady(url, exited, () => log);
  const client = openSeedAgent({ url, token });
  return {
    ...{ url, folder, port, token, client, process: child },
    log: () => log,
    async ask(path, init = {}) {
      const headers = { authorization: `Bearer ${token}`, ...Object.fromEntries(new Headers(init.headers)) };
      const response = await fetch(`${url}/agent${path}`, { ...init, headers });
      return { status: response.status, body: await response.text() };
    },
    async becomes(id, state) {
      for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((done) => setTimeout(done, 100))) {
        const change = await client.change(id);
        if (change.state === state) return change;
        if (ended.includes(change.state))
          throw new Error(`${id} is ${change.state}: ${change.reason} ${JSON.stringify(change.report?.steps ?? [])}`);
      }
      throw new Error(`${id} did not become ${state}\n${log}`);
    },
    async stop() {
      child.kill("SIGTERM");
      return await exited;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

export function removeFolder({ folder }: Pick<RunningService, "folder">): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function isReady(url: string, exited: Promise<number | null>, log: () => string): Promise<void> {
  let code: number | null | undefined;
  void exited.then((of) => {
    code = of;
  });
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
    if (code !== undefined) throw new Error(`the service ended with ${code}:\n${log()}`);
    const response = await fetch(`${url}/health`).catch(() => undefined);
    if (response?.ok) return;
  }
  throw new Error(`the service is not ready:\n${log()}`);
}
