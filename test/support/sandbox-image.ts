import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerSandboxes } from "../../components/sandbox/docker/provider.ts";
import { startProxy } from "../../components/sandbox/egress/proxy.ts";
import { dockerfile } from "../../components/sandbox/image/image.ts";
import { imageSources } from "../../components/sandbox/image/sources.ts";
import { cacheFolder, keyOf } from "../../scripts/setup/cache.mjs";
import { installFolder } from "../../scripts/setup/install.mjs";
import { SetupError } from "../../scripts/setup/progress.mjs";
import { type DockerEngine, dockerEngine } from "./docker-engine.ts";
import { portOf } from "./fault-proxy.ts";
import { makeNodeBase, type NodeBase } from "./node-base.ts";

/** The sandboxes' real base image, on a daemon of the test's own. */
export interface SandboxImage extends AsyncDisposable {
  readonly engine: DockerEngine;
  /** The variables of programs that use the daemon and the image, besides their own environment. */
  readonly variables: Readonly<Record<string, string>>;
  /** As the docker provider names it. */
  readonly image: string;
  /** The Dockerfile that it was built from. */
  readonly dockerfile: string;
  /** The address of the proxy that docker's client is configured with, and what its builds use. */
  readonly proxy: string;
  /** What the build printed; undefined if the image was in the cache. */
  readonly log: readonly string[] | undefined;
}

/** What the build downloads from. An address that answers is enough: the build checks what it downloads. */
function needed(): readonly string[] {
  const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  return ["http://deb.debian.org/debian/dists/bookworm/InRelease", new URL("npm", registry).href];
}

/** Where Debian's administrators put their own authorities' certificates. */
const ownAuthorities = "/usr/local/share/ca-certificates";
/** Each image is 2 GB. */
const keptImages = 2;

/**
 * Builds the image as a user's `up` does, by the docker provider. Docker Hub and snapshot.debian.org are replaced by
 * Debian's mirror and npm, as for a user who has mirrors, and the network is reached through a proxy, as in a company.
 * The result is kept in the cache, by its content.
 *
 * @returns the reason if it can't be built on this machine
 */
export async function sandboxImage(): Promise<SandboxImage | string> {
  if (process.getuid?.() !== 0) return "a docker daemon of the test's own needs root";
  const unreachable = await firstUnreachable();
  if (unreachable !== undefined) return `${unreachable} is not reachable`;
  try {
    return await onOwnDaemon(await dockerEngine({ isOwn: true }));
  } catch (error) {
    if (error instanceof SetupError) return error.message;
    throw error;
  }
}

async function onOwnDaemon(engine: DockerEngine): Promise<SandboxImage> {
  const folder = mkdtempSync(join(tmpdir(), "sandbox-image-"));
  let proxy: Server | undefined;
  const end = async () => {
    await engine.end();
    proxy?.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const gateway = await engine.docker(
      "network",
      "inspect",
      "bridge",
      "--format",
      "{{(index .IPAM.Config 0).Gateway}}",
    );
    proxy = await buildProxy(gateway, join(folder, "p"));
    const address = `http://me:proxy-password@${gateway}:${portOf(proxy)}`;
    const config = { proxies: { default: { httpProxy: address, httpsProxy: address, noProxy: "127.0.0.1" } } };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    const base = await makeNodeBase();
    const baseName = `changelings-test-node:${base.key}`;
    const variables = {
      ...engine.env,
      DOCKER_CONFIG: folder,
      CHANGELINGS_IMAGE_BASE: baseName,
      CHANGELINGS_IMAGE_DEBIAN: "http://deb.debian.org/{archive}",
      ...authorities(folder),
    };
    const env = { ...process.env, ...variables };
    const text = dockerfile(imageSources(env));
    const { image, log } = await buildOrLoad(engine, { text, env, folder, base: { ...base, name: baseName } });
    return { engine, variables, image, dockerfile: text, proxy: address, log, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

interface Build {
  readonly text: string;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly base: NodeBase & { readonly name: string };
}

async function buildOrLoad({ docker }: DockerEngine, { text, env, folder, base }: Build) {
  let log: string[] | undefined;
  const provider = dockerSandboxes({ installation: "image", sandboxes: join(folder, "sandboxes"), env });
  const images = join(cacheFolder(), "sandbox-image");
  const cached = join(images, keyOf({ texts: [text, "with its base"] }));
  await installFolder(cached, async (temporary) => {
    await docker("import", "--change", 'CMD ["node"]', base.tarball, base.name);
    const lines: string[] = [];
    const image = await provider.prepareImage({ onProgress: (line) => lines.push(line) });
    // With its base: Docker reuses layers only on the very image that they were built on.
    await docker("save", "--output", join(temporary, "image.tar"), image, base.name);
    writeFileSync(join(temporary, "build.log"), lines.join("\n"));
    log = lines;
  });
  if (log === undefined) await docker("load", "--quiet", "--input", join(cached, "image.tar"));
  removeOldest(images);
  return { image: await provider.prepareImage({}), log };
}

function removeOldest(images: string): void {
  const time = (name: string) => statSync(join(images, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const names = readdirSync(images).filter((name) => /^[0-9a-f]+$/.test(name));
  for (const name of names.sort((one, other) => time(other) - time(one)).slice(keptImages)) {
    rmSync(join(images, name), { recursive: true, force: true });
  }
}

/** The daemon's containers reach only this machine, so they use a proxy on it, which reaches the two mirrors. */
async function buildProxy(gateway: string, socket: string): Promise<Server> {
  const allowDomains = needed()
    .map((each) => new URL(each))
    .map(({ protocol, hostname }) => {
      return `${hostname}:${protocol === "https:" ? 443 : 80}`;
    });
  await startProxy({ socket, allowDomains });
  const server = createServer((client) => {
    const upstream = connect(socket);
    client.on("error", () => upstream.destroy()).pipe(upstream);
    upstream.on("error", () => client.destroy()).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, gateway, resolve));
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
