import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { newTokens } from "../../components/sandbox/sessions/cloudflare/deployed.ts";
import { isRunnerLinked } from "../../components/sandbox/sessions/cloudflare/observe.ts";
import { workerFrame } from "../../components/sandbox/sessions/link-protocol.ts";
import { bundleWorker } from "../../components/sandbox/sessions/runner/bundle.ts";
import { workerCompatibility } from "../../components/sandbox/sessions/runner/workerd-config.ts";
import { CloudWorkerd } from "./cloud-workerd.ts";
import { SessionLab } from "./session-lab.ts";

/** The session service as on Cloudflare: workerd with the sessions, and apart from it the runner, linked to it. */
export class CloudLab implements AsyncDisposable {
  readonly tokens = newTokens();
  readonly cloud: CloudWorkerd;
  readonly runner: SessionLab;

  private constructor(cloud: CloudWorkerd, runner: SessionLab, tokens: CloudLab["tokens"]) {
    this.cloud = cloud;
    this.runner = runner;
    this.tokens = tokens;
  }

  static async start(): Promise<CloudLab> {
    const tokens = newTokens();
    const cloud = await CloudWorkerd.create();
    await cloud.run({
      modules: new Map([["worker.mjs", await bundled()]]),
      ...{ compatibilityDate: workerCompatibility.date, compatibilityFlags: workerCompatibility.flags },
      objects: { SESSIONS: "Session", DIRECTORY: "Directory", RUNNER_LINK: "RunnerLink" },
      texts: { OWNER_HASH: hashOf(tokens.ownerToken), RUNNER_HASH: hashOf(tokens.runnerToken), BUILD: "build" },
      version: { binding: "VERSION", id: "version" },
    });
    const runner = await SessionLab.start({
      ...{ version: 1, accountId: "account", worker: "sessions", url: cloud.url, ...tokens },
    });
    return new CloudLab(cloud, runner, tokens);
  }

  async isConnected(): Promise<boolean> {
    return await isRunnerLinked(this.runner.service);
  }

  async connected(): Promise<void> {
    for (let waited = 0; !(await this.isConnected()); waited += 20) {
      if (waited > 20_000) throw new Error(`no link: ${this.runner.log}`);
      await sleep(20);
    }
  }

  get address(): string {
    return `${this.cloud.url.replace("http", "ws")}/runner`;
  }

  /** A runner that a test plays. */
  async dialIn(): Promise<PlayedRunner> {
    const headers = { authorization: `Bearer ${this.tokens.runnerToken}` };
    // workerd ends the connection 10 s after it was closed.
    const options = { headers, closeTimeout: 200 };
    const socket = new WebSocket(this.address, options);
    const requests: { id: number; path: string }[] = [];
    let onRequest = () => {};
    socket.on("message", (data, isBinary) => {
      if (isBinary || String(data) === "pong") return;
      const { success, data: frame } = workerFrame.safeParse(JSON.parse(String(data)));
      if (success && frame.frame === "request") requests.push(frame);
      onRequest();
    });
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    await new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
    });
    return {
      ...{ socket, closed },
      async request(isIt) {
        for (;;) {
          const found = requests.find(({ path }) => isIt(path));
          if (found !== undefined) return found;
          await new Promise<void>((resolve) => {
            onRequest = resolve;
          });
        }
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    await this.cloud[Symbol.asyncDispose]();
  }
}

export interface PlayedRunner {
  readonly socket: WebSocket;
  /** The code with which the worker closed the link. */
  readonly closed: Promise<number>;
  /** Waits for a request of the worker's. */
  request(isIt: (path: string) => boolean): Promise<{ readonly id: number; readonly path: string }>;
}

async function bundled(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    await bundleWorker(join(folder, "worker.mjs"));
    return readFileSync(join(folder, "worker.mjs"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
