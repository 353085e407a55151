import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProxy } from "../../components/sandbox/egress/proxy.ts";
import { SetupError } from "../../scripts/stack/setup/progress.mjs";
import { type DockerEngine, dockerEngine } from "./docker-engine.ts";
import { portOf } from "./fault-proxy.ts";
import { makeNodeBase, type NodeBase, type NodeRelease } from "./node-base.ts";

/**
 * A daemon of the test's own that builds images as in a company: Docker Hub and snapshot.debian.org are replaced by
 * Debian's mirror and npm, and a proxy with a password leads to these.
 */
export interface MirroredDocker extends AsyncDisposable {
  readonly engine: DockerEngine;
  /** The variables of programs that build images, besides their own environment. */
  readonly variables: Readonly<Record<string, string>>;
  /** Named as `CHANGELINGS_IMAGE_BASE` says. The daemon does not have it yet: import its tarball. */
  readonly base: NodeBase & { readonly name: string };
  /** The address of the proxy in the configuration of docker's client. */
  readonly proxy: string;
  /** For files of the test. */
  readonly folder: string;
}

/** What builds download from. An address that answers is enough: builds check what they download. */
function needed(): readonly string[] {
  const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  return ["http://deb.debian.org/debian/dists/bookworm/InRelease", new URL("npm", registry).href];
}

/** The folder of the certificates that Debian's administrators add. */
const ownAuthorities = "/usr/local/share/ca-certificates";

/** @returns the reason if images can't be built on this machine */
export async function mirroredDocker(node: NodeRelease): Promise<MirroredDocker | string> {
  if (process.getuid?.() !== 0) return "a docker daemon of the test's own needs root";
  const unreachable = await firstUnreachable();
  if (unreachable !== undefined) return `${unreachable} is not reachable`;
  try {
    return await withMirrors(await dockerEngine({ isOwn: true }), node);
  } catch (error) {
    if (error instanceof SetupError) return error.message;
    throw error;
  }
}

async function withMirrors(engine: DockerEngine, node: NodeRelease): Promise<MirroredDocker> {
  const folder = mkdtempSync(join(tmpdir(), "image-mirrors-"));
  let server: Server | undefined;
  const end = async () => {
    await engine.end();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const gateway = await gatewayOf(engine);
    server = await buildProxy(gateway, join(folder, "p"));
    const proxy = `http://me:proxy-password@${gateway}:${portOf(server)}`;
    // Containers see the configuration too.
    const noProxy = "127.0.0.1,host.docker.internal";
    const config = { proxies: { default: { httpProxy: proxy, httpsProxy: proxy, noProxy } } };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    const base = await makeNodeBase(node);
    const name = `changelings-test-node:${base.key}`;
    const variables = {
      ...engine.env,
      DOCKER_CONFIG: folder,
      CHANGELINGS_IMAGE_BASE: name,
      CHANGELINGS_IMAGE_DEBIAN: "http://deb.debian.org/{archive}",
      ...authorities(folder),
    };
    return { engine, variables, base: { ...base, name }, proxy, folder, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** This machine's address in the network of the daemon's containers. */
export function gatewayOf({ docker }: DockerEngine): Promise<string> {
  return docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}");
}

/** The daemon's containers reach only this machine, so they use a proxy on it, which reaches the two mirrors. */
async function buildProxy(gateway: string, socket: string): Promise<Server> {
  const allowDomains = needed()
    .map((each) => new URL(each))
    .map(({ protocol, hostname }) => {
      return `${hostname}:${protocol === "https:" ? 443 : 80}`;
    });
  await startProxy({ socket, allowDomains });
  return forward(gateway, () => connect(socket));
}

/** Listens at an address that containers reach, and forwards connections. */
export async function forward(address: string, target: () => ReturnType<typeof connect>): Promise<Server> {
  const server = createServer((client) => {
    const upstream = target();
    client.on("error", () => upstream.destroy()).pipe(upstream);
    upstream.on("error", () => client.destroy()).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return server;
}

/** Where https is inspected, npm needs the inspector's certificate. */
function authorities(folder: string): Record<string, string> {
  if (!existsSync(ownAuthorities)) return {};
  const files = readdirSync(ownAuthorities).filter((name) => name.endsWith(".crt"));
  if (files.length === 0) return {};
  const pem = join(folder, "ca.pem");
  writeFileSync(pem, files.map((name) => readFileSync(join(ownAuthorities, name), "utf8")).join("\n"));
  return { CHANGELINGS_IMAGE_CA: pem };
}

async function firstUnreachable(): Promise<string | undefined> {
  for (const url of needed()) {
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(15_000) }).catch(() => undefined);
    if (answer?.ok !== true) return url;
  }
  return undefined;
}
