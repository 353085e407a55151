import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder, writePrivateFile } from "../../../host/files.ts";
import type { Log } from "../../../host/log.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { readServiceFile, serviceFilePath } from "../folder.ts";
import type { ServiceFile } from "../protocol.ts";
import { bundleWorker } from "./bundle.ts";
import { startOf } from "./process-identity.ts";
import { objectsFolder, type WorkerdConfig, workerdConfig, workerFile } from "./workerd-config.ts";

const readyMs = 20_000;
const endMs = 3_000;
const longestPauseMs = 5_000;

export interface WorkerdOptions {
  readonly folder: string;
  /** The token of the installation's owner. */
  readonly token: string;
  readonly config: Omit<WorkerdConfig, "port">;
  readonly log: Log;
  /** Called when workerd answers, for the first time or again. */
  readonly onReady: (service: ServiceFile) => void;
}

/** The path of workerd, Cloudflare's runtime. @throws if its package is not installed */
export function workerdBinary(): string {
  const { platform, arch } = process;
  const name = `@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}`;
  const { resolve } = createRequire(createRequire(import.meta.url).resolve("workerd/package.json"));
  try {
    return resolve(`${name}/bin/workerd`);
  } catch {
    throw new Error(`the package ${name} is not installed; install it with: npm ci`);
  }
}

/** Keeps workerd running until it is stopped. */
export class Workerd {
  readonly #options: WorkerdOptions;
  #child: ChildProcess | undefined;
  #isStopped = false;

  constructor(options: WorkerdOptions) {
    this.#options = options;
  }

  /** Resolves when workerd answers. @throws if it does not start */
  async start(): Promise<void> {
    const { folder } = this.#options;
    ensureFolder(join(folder, objectsFolder));
    await endOrphanedWorkerd(folder);
    await bundleWorker(join(folder, workerFile));
    await this.#startOnce();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    await Promise.race([ended, sleep(endMs)]);
    child.kill("SIGKILL");
    await ended;
  }

  async #startOnce(): Promise<void> {
    const { folder, token, config, log, onReady } = this.#options;
    const port = await freePort(portOf(readServiceFile(folder)?.url));
    // It was stopped while it was being restarted.
    if (this.#isStopped) return;
    const path = join(folder, "workerd.capnp");
    writePrivateFile(path, workerdConfig({ ...config, port }));
    const child = spawn(workerdBinary(), ["serve", path], {
      cwd: folder,
      env: { TZ: "UTC" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => log(`workerd: ${text.trim().slice(0, 2000)}`));
    }
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
    });
    const startedAt = child.pid === undefined ? undefined : startOf(child.pid);
    const url = `http://127.0.0.1:${port}`;
    if (child.pid !== undefined && startedAt !== undefined) {
      // Recorded at once, so that the next service finds it even if this process is killed now.
      const service: ServiceFile = { version: 1, url, token, workerd: { pid: child.pid, startedAt } };
      writePrivateFile(serviceFilePath(folder), `${JSON.stringify(service)}\n`);
      const failure = await Promise.race([ended, whyNotAnswering(url)]);
      if (failure === undefined) {
        log(`listens on ${url} (workerd ${child.pid})`);
        onReady(service);
        void ended.then((reason) => this.#restart(reason));
        return;
      }
    }
    child.kill("SIGKILL");
    throw new Error(`workerd did not start: ${await ended}`);
  }

  async #restart(reason: string): Promise<void> {
    for (let pause = 100; !this.#isStopped; pause = Math.min(pause * 2, longestPauseMs)) {
      this.#options.log(`workerd ${reason}; it is started again`);
      try {
        await this.#startOnce();
        return;
      } catch (error) {
        this.#options.log(messageOf(error));
        await sleep(pause);
      }
    }
  }
}

/** Ends the workerd of a runner that was killed. It would keep its databases locked. */
export async function endOrphanedWorkerd(folder: string): Promise<void> {
  const left = readServiceFile(folder)?.workerd;
  if (left === undefined) return;
  const isThere = () => startOf(left.pid) === left.startedAt;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (const end = Date.now() + endMs; isThere() && Date.now() < end; await sleep(20)) {
      try {
        process.kill(left.pid, signal);
      } catch {
        // It has just ended.
      }
    }
  }
  if (isThere()) throw new Error(`workerd (pid ${left.pid}) of an earlier session service can't be ended`);
}

/** @returns undefined as soon as workerd answers; otherwise the reason why it does not */
async function whyNotAnswering(url: string): Promise<string | undefined> {
  for (const end = Date.now() + readyMs; Date.now() < end; await sleep(25)) {
    try {
      if ((await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok) return undefined;
    } catch {
      // Not yet.
    }
  }
  return `it did not answer within ${readyMs / 1000} s`;
}

function portOf(url: string | undefined): number {
  return url === undefined ? 0 : Number(new URL(url).port);
}

/** The wanted port if it is free, so that clients find the service again; otherwise another port. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => (wanted === 0 ? reject(error) : resolve(freePort(0))));
    server.listen({ port: wanted, host: "127.0.0.1" }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : wanted));
    });
  });
}
