import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { workerdBinary } from "../../components/sandbox/sessions/runner/workerd.ts";
import { freePort } from "./free-port.ts";

/** A worker as it was uploaded to Cloudflare. */
export interface UploadedWorker {
  /** The first is the main one. */
  readonly modules: ReadonlyMap<string, string>;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  /** Classes by binding. */
  readonly objects: Readonly<Record<string, string>>;
  /** Values of text bindings and secrets, by binding. */
  readonly texts: Readonly<Record<string, string>>;
  /** The binding of the version's metadata, if it has one. */
  readonly version?: { readonly binding: string; readonly id: string } | undefined;
}

/** Real workerd in Cloudflare's place: runs an uploaded worker, with its objects on disk, on one port. */
export class CloudWorkerd implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "cloud-"));
  #child: ChildProcess | undefined;
  #nothing: Server | undefined;
  output = "";

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async create(): Promise<CloudWorkerd> {
    return new CloudWorkerd(await freePort());
  }

  /** Ends what runs, and runs this. The objects' data stays. */
  async run(worker: UploadedWorker): Promise<void> {
    await this.kill();
    mkdirSync(join(this.#folder, "objects"), { recursive: true });
    for (const [at, [, text]] of [...worker.modules].entries()) writeFileSync(join(this.#folder, `${at}.mjs`), text);
    writeFileSync(join(this.#folder, "config.capnp"), configOf(worker, this.#port));
    await this.start();
  }

  /** Runs again what was run last. */
  async start(): Promise<void> {
    const child = spawn(workerdBinary(), ["serve", "config.capnp"], {
      cwd: this.#folder,
      env: { TZ: "UTC" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    for (let waited = 0; ; waited += 25) {
      const response = await fetch(this.url).catch(() => undefined);
      if (response?.status === 200) return void (await response.text());
      if (waited > 30_000 || child.exitCode !== null) throw new Error(`workerd does not answer: ${this.output}`);
      await sleep(25);
    }
  }

  async kill(): Promise<void> {
    const nothing = this.#nothing;
    this.#nothing = undefined;
    if (nothing !== undefined) {
      nothing.closeAllConnections();
      await new Promise<void>((resolve) => nothing.close(() => resolve()));
    }
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** The worker is deleted with its objects. */
  async delete(): Promise<void> {
    await this.kill();
    rmSync(join(this.#folder, "objects"), { recursive: true, force: true });
    // As workers.dev does for a name that has no worker.
    this.#nothing = createServer((_, response) => response.writeHead(404).end("There is nothing here yet"));
    await new Promise<void>((resolve) => this.#nothing?.listen(this.#port, "127.0.0.1", resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configOf(worker: UploadedWorker, port: number): string {
  const text = (value: string) => JSON.stringify(value);
  const list = (values: readonly string[]) => `[${values.join(", ")}]`;
  const modules = [...worker.modules.keys()].map((name, at) => `(name = ${text(name)}, esModule = embed "${at}.mjs")`);
  const classes = [...new Set(Object.values(worker.objects))];
  const bindings = [
    ...Object.entries(worker.objects).map(
      ([name, of]) => `(name = ${text(name)}, durableObjectNamespace = ${text(of)})`,
    ),
    ...Object.entries(worker.texts).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
    ...(worker.version === undefined
      ? []
      : [`(name = ${text(worker.version.binding)}, json = ${text(JSON.stringify({ id: worker.version.id }))})`]),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "objects", writable = true)),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ],
);
const worker :Workerd.Worker = (
  modules = ${list(modules)},
  compatibilityDate = ${text(worker.compatibilityDate)},
  compatibilityFlags = ${list(worker.compatibilityFlags.map(text))},
  durableObjectNamespaces = ${list(classes.map((name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = true)`))},
  durableObjectStorage = (localDisk = "disk"),
  bindings = ${list(bindings)},
);
`;
}
