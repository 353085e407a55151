import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openSessions, type SessionsClient } from "../../components/sandbox/sessions/client.ts";
import { type DeployedWorker, writeDeployed } from "../../components/sandbox/sessions/cloudflare/deployed.ts";
import { readServiceFile } from "../../components/sandbox/sessions/folder.ts";
import type { ServiceFile, SessionEvent, SessionView } from "../../components/sandbox/sessions/protocol.ts";
import { endOrphanedWorkerd } from "../../components/sandbox/sessions/runner/workerd.ts";

/** A session service of its own, with workerd and sandboxes that are folders; see `session-service.ts`. */
export class SessionLab implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "sessions-"));
  #runner: ChildProcess | undefined;

  /** @param deployed where the sessions are, if not in workerd beside the runner */
  static async start(deployed?: DeployedWorker): Promise<SessionLab> {
    const lab = new SessionLab();
    if (deployed !== undefined) writeDeployed(lab.folder, deployed);
    await lab.start();
    return lab;
  }

  /** Starts the runner, which starts workerd. */
  async start(): Promise<void> {
    const ready = join(this.folder, "ready");
    rmSync(ready, { force: true });
    const program = join(import.meta.dirname, "session-service.ts");
    const stdio = ["ignore", "ignore", "inherit"] as const;
    this.#runner = spawn(process.execPath, [program, this.folder], {
      env: { PATH: process.env["PATH"] },
      stdio: [...stdio],
    });
    for (let waited = 0; !existsSync(ready); waited += 20) {
      if (waited > 30_000 || this.#runner.exitCode !== null) throw new Error(`no service: ${this.log}`);
      await sleep(20);
    }
  }

  get log(): string {
    return this.#read("log");
  }

  /** What the sandboxes executed: `begin <prompt>` and `end <prompt>`. */
  get executed(): string[] {
    return this.#read("executed").split("\n").slice(0, -1);
  }

  get service(): ServiceFile {
    const service = readServiceFile(this.folder);
    if (service === undefined) throw new Error("no service was started");
    return service;
  }

  get runnerPid(): number {
    return this.#runner?.pid ?? 0;
  }

  client(person = "ada"): SessionsClient {
    return openSessions({ folder: this.folder, person });
  }

  /** A session whose sandbox has started. */
  async session(changeling = "example", request: { limits?: object } = {}): Promise<string> {
    const { id } = await this.client().create({ changeling, ...request });
    await this.until(id, ({ type }) => type === "ready");
    return id;
  }

  /** All events until one that is asked for. */
  async until(session: string, isLast: (event: SessionEvent) => boolean, from = 0): Promise<SessionEvent[]> {
    const events: SessionEvent[] = [];
    for await (const event of this.client("watcher").events(session, { from })) {
      if (event.type === "presence") continue;
      events.push(event);
      if (isLast(event)) return events;
    }
    return events;
  }

  /** Waits until all its messages were processed. */
  async idle(session: string): Promise<SessionView> {
    for (;;) {
      const view = await this.client().show(session);
      if (view.queue.length === 0) return view;
      await sleep(20);
    }
  }

  killWorkerd(): void {
    kill(this.service.workerd?.pid ?? 0);
  }

  async killRunner(): Promise<void> {
    const runner = this.#runner;
    if (runner !== undefined) await end(runner, "SIGKILL");
  }

  request(path: string, init: RequestInit & { token?: string } = {}): Promise<Response> {
    const { token = this.service.token, ...rest } = init;
    return fetch(this.service.url + path, { ...rest, headers: { authorization: `Bearer ${token}`, ...rest.headers } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const runner = this.#runner;
    if (runner !== undefined) await end(runner, "SIGTERM");
    await endOrphanedWorkerd(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #read(name: string): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }
}

async function end(program: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const ended = new Promise((resolve) => program.once("exit", resolve));
  program.kill(signal);
  await ended;
}

export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
