import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { dockerEnvironment } from "../../docker/run-docker.ts";
import { ensureFolder } from "../../host/files.ts";
import { type Broker, Brokers } from "../egress/broker.ts";
import { proxyPort } from "../egress/environment.ts";
import { type EgressProxy, startProxy } from "../egress/proxy.ts";
import { loopbackTargets } from "../egress/rules.ts";
import { SandboxError } from "../provider.ts";

/** The folder of the proxy's socket in a container. */
export const egressMount = "/run/changelings-egress";

const forwarder = readFileSync(new URL("../egress/forward.mjs", import.meta.url), "utf8");
const startMs = 30_000;
const longestSocketPath = 107;

/**
 * The network of containers that have only loopback: a forwarder in the container connects a port to the Unix socket of a
 * proxy in this process. Needs a daemon on this machine, and Node in the image.
 */
export interface ContainerEgress {
  /** The folder to mount at `egressMount`, read-only. */
  folderOf(id: string): string;
  /** Starts the proxy, and the forwarder in the container, unless they are running. */
  use(id: string, container: string, allowDomains: readonly string[] | undefined): Promise<void>;
  /** The broker of the container's proxy, also before that is started. */
  broker(id: string): Broker;
  end(id: string): void;
}

/** @param sandboxes the installation's folder for sandboxes */
export function containerEgress(sandboxes: string, env: NodeJS.ProcessEnv): ContainerEgress {
  const proxies = new Map<string, Promise<EgressProxy>>();
  const brokers = new Brokers();
  const folderOf = (id: string) => join(sandboxes, "egress", id);
  /** @param onEnd called when a program in the container has ended the forwarder */
  const start = async (
    id: string,
    container: string,
    allowDomains: readonly string[] | undefined,
    onEnd: () => void,
  ): Promise<EgressProxy> => {
    const folder = folderOf(id);
    const socket = join(folder, "s");
    if (Buffer.byteLength(socket) > longestSocketPath) {
      throw new SandboxError("network", `the path of a socket would be too long: ${socket}`);
    }
    makeEgressFolder(folder);
    const proxy = await startProxy({ socket, allowDomains, broker: brokers.of(id) });
    // The container's root may be another user than this one, and has no capability to bypass permissions.
    chmodSync(socket, 0o666);
    const targets = loopbackTargets(allowDomains).map(({ host, port }) => `${host}:${port}`);
    try {
      const child = await startForwarder(container, [`${egressMount}/s`, String(proxyPort), ...targets], env);
      child?.once("exit", () => {
        proxy.end();
        onEnd();
      });
      return proxy;
    } catch (error) {
      proxy.end();
      throw error;
    }
  };
  return {
    broker: (id) => brokers.of(id),
    folderOf(id) {
      makeEgressFolder(folderOf(id));
      return folderOf(id);
    },
    async use(id, container, allowDomains) {
      const forget = () => {
        if (proxies.get(id) === used) proxies.delete(id);
      };
      const used = proxies.get(id) ?? start(id, container, allowDomains, () => forget());
      proxies.set(id, used);
      used.catch(forget);
      await used;
    },
    end(id) {
      proxies.get(id)?.then(
        (proxy) => proxy.end(),
        () => {},
      );
      proxies.delete(id);
      brokers.end(id);
      rmSync(folderOf(id), { recursive: true, force: true });
    },
  };
}

/** The parent is private, so on this machine only this user can reach the socket. The container sees only the folder. */
function makeEgressFolder(folder: string): void {
  ensureFolder(join(folder, ".."));
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
}

/** @returns undefined if one that was started before a restart of this process still listens */
async function startForwarder(
  container: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ChildProcess | undefined> {
  // A program that is passed as text has no file name in its argv, so "forward" takes that place.
  const argv = ["exec", container, "node", "--input-type=module", "-e", forwarder, "--", "forward", ...args];
  const child = spawn("docker", argv, {
    env: dockerEnvironment(env),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const isNew = await new Promise<boolean>((resolve, reject) => {
    let printed = "";
    const fail = (reason: string) => {
      clearTimeout(timer);
      reject(
        new SandboxError("network", `the sandbox's network could not be set up: ${reason} ${printed.slice(-1000)}`),
      );
    };
    const timer = setTimeout(() => fail("no answer"), startMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        if (printed.length < 10_000) printed += text;
        if (!printed.includes("ready\n") && !printed.includes("EADDRINUSE")) return;
        clearTimeout(timer);
        resolve(printed.includes("ready\n"));
      });
      if ("unref" in stream && typeof stream.unref === "function") stream.unref();
    }
    child.once("error", ({ message }) => fail(message));
    child.once("exit", (code) => fail(`ended with ${code}:`));
  });
  child.unref();
  return isNew ? child : undefined;
}
