import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerClient } from "../../docker/client.ts";
import { DockerError, runDocker } from "../../docker/run-docker.ts";
import { masked } from "../../lib/masking.ts";
import { driftFrom } from "../drift.ts";
import { type DeployOptions, SeedAgentError, type SeedAgentProvider } from "../provider.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { hostPort, nodeContainer, secretsFile, settingsOf } from "./container-args.ts";
import { type Found, findContainers } from "./containers.ts";
import { ensureImage, removeOtherImages } from "./image.ts";
import { containerName, networkName, nodeId, type Owner, ownerLabels, secretsVolume } from "./names.ts";
import { dockerNodes } from "./nodes.ts";
import { seccompProfile } from "./seccomp.ts";
import { secretArchive } from "./secrets.ts";

export interface DockerSeedAgentOptions {
  /** Locates Docker. */
  readonly env?: NodeJS.ProcessEnv;
  /** How long a node may take to become healthy. */
  readonly healthSeconds?: number;
  readonly pollMilliseconds?: number;
  /** For tests: another program than the service's. */
  readonly main?: string;
}

const doneSeconds = 120;

/**
 * Seed agents in containers of this machine's Docker: a container, a volume and a published port for each node, and a
 * network for all.
 */
export function dockerSeedAgents(given: DockerSeedAgentOptions = {}): SeedAgentProvider {
  const { env = process.env, healthSeconds = 120, pollMilliseconds = 500, main } = given;
  const client = dockerClient(env);
  const run = async (args: readonly string[], timeoutSeconds = doneSeconds, input?: Uint8Array) =>
    (await runDocker(args, { env, timeoutSeconds, ...(input === undefined ? {} : { input }) })).stdout.trim();
  const labelArgs = (owner: Owner, more: Readonly<Record<string, string>> = {}) =>
    Object.entries({ ...ownerLabels(owner), ...more }).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  const names = async (list: readonly string[], owner: Owner, format: string) => {
    const filters = Object.entries(ownerLabels(owner)).flatMap(([name, value]) => [
      "--filter",
      `label=${name}=${value}`,
    ]);
    return (await run([...list, ...filters, "--format", format])).split("\n").filter(Boolean).sort();
  };
  const nodes = dockerNodes({ env, healthSeconds, pollMilliseconds });

  async function ensureNetwork(owner: Owner): Promise<void> {
    const name = networkName(owner);
    if ((await names(["network", "ls"], owner, "{{.Name}}")).includes(name)) return;
    await run(["network", "create", ...labelArgs(owner), name]);
  }

  /** Copies them into a container that is never started: no argument and no file of this machine contains a secret. */
  async function writeSecrets(owner: Owner, image: string, secrets: Readonly<Record<string, string>>): Promise<void> {
    const volume = secretsVolume(owner);
    await client.createVolume(volume, ownerLabels(owner));
    const mount = `type=volume,src=${volume},dst=/secrets`;
    const isolated = ["--network", "none", "--pull", "never", "--mount", mount];
    const container = await run(["container", "create", ...isolated, image]);
    try {
      const archive = secretArchive(secretsFile, JSON.stringify(secrets));
      await run(["container", "cp", "-", `${container}:/secrets`], doneSeconds, archive);
    } finally {
      await client.removeContainer(container);
    }
  }

  async function deploy(
    spec: SeedAgentSpec,
    options: DeployOptions,
  ): Promise<{ url: string | undefined; nodes: number }> {
    const { installation, folder, release, secrets, signal, onProgress } = options;
    const owner = { installation, name: spec.name };
    if (spec.replicas > 1 && secrets["DATABASE_URL"] === undefined) {
      throw new SeedAgentError(
        `${spec.name} has ${spec.replicas} nodes, which need a database that they share; add "DATABASE_URL" to its secrets, or write replicas = 1`,
      );
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const work = mkdtempSync(join(tmpdir(), "seed-agent-docker-"));
    try {
      const image = await ensureImage(owner, spec, { env, folder: work, signal, main, onProgress });
      const seccomp = { path: join(work, "seccomp.json"), text: seccompProfile() };
      writeFileSync(seccomp.path, seccomp.text);
      await ensureNetwork(owner);
      await writeSecrets(owner, image, secrets);
      const before = await findContainers(owner, env, signal);
      const found = (await nodes.recover(owner, before)) ? await findContainers(owner, env, signal) : before;
      for (const extra of found.filter((each) => !(each.index < spec.replicas)).reverse()) {
        onProgress?.(`removing node ${nodeId(owner, extra.index)}; its data is kept`);
        await nodes.remove(extra);
      }
      const wanted = Array.from({ length: spec.replicas }, (_, index) => {
        const container = nodeContainer(spec, index, { owner, image, release, secrets, seccomp });
        return { index, ...container, live: found.find((each) => each.name === containerName(owner, index)) };
      });
      // Broken nodes first: until they are repaired, the others carry the load.
      const isWell = (live: Found | undefined) => live !== undefined && (live.problem === undefined || live.isStarting);
      const inOrder = [...wanted.filter(({ live }) => !isWell(live)), ...wanted.filter(({ live }) => isWell(live))];
      for (const { index, args, content, live } of inOrder) {
        signal?.throwIfAborted();
        if (live?.content === content && isWell(live)) {
          const isHealthy = live.problem === undefined;
          if (isHealthy || (await nodes.awaitHealth(owner, live.name, signal)) === undefined) continue;
        }
        onProgress?.(`${live === undefined ? "starting" : "replacing"} node ${nodeId(owner, index)}`);
        await nodes.replace(owner, index, live, { args, secrets, signal });
      }
      await removeOtherImages(owner, image, env);
      return { url: urlOf(spec), nodes: spec.replicas };
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  /** The published port is on the machine that Docker runs on. */
  function urlOf(spec: SeedAgentSpec): string | undefined {
    const host = env["DOCKER_HOST"] ?? "";
    const isHere = host === "" || host.startsWith("unix:") || host.startsWith("npipe:");
    return isHere ? `http://127.0.0.1:${hostPort(spec, 0)}` : undefined;
  }

  return {
    deploy: (spec, options) => inWords(deploy(spec, options), options.secrets),

    async observe(name, { installation, signal, spec }) {
      const owner = { installation, name };
      const found = (await inWords(findContainers(owner, env, signal))).filter(
        (each) => each.name === containerName(owner, each.index),
      );
      if (found.length === 0) return undefined;
      const releases = new Set(found.map(({ release = "unknown" }) => release));
      return {
        release: [...releases].join(" and "),
        nodes: found.map(({ index, problem }) => ({
          id: nodeId(owner, index),
          healthy: problem === undefined,
          ...(problem === undefined ? {} : { problem }),
        })),
        url: spec === undefined ? undefined : urlOf(spec),
        settings: together(found.map(({ settings }) => settings)),
      };
    },

    drift: (spec, release, observed) => driftFrom(settingsOf(spec), { release, replicas: spec.replicas }, observed),

    async remove(name, { installation, destroyData }) {
      const owner = { installation, name };
      return inWords(
        (async () => {
          for (const each of [...(await findContainers(owner, env))].reverse()) await nodes.remove(each);
          if ((await names(["network", "ls"], owner, "{{.Name}}")).includes(networkName(owner)))
            await run(["network", "rm", networkName(owner)]);
          await client.deleteVolume(secretsVolume(owner));
          const volumes = await names(["volume", "ls"], owner, "{{.Name}}");
          if (destroyData) for (const volume of volumes) await client.deleteVolume(volume);
          await removeOtherImages(owner, undefined, env);
          return destroyData ? [] : volumes.map((volume) => `the volume ${volume} in Docker`);
        })(),
      );
    },

    async logs(name, { installation, lines }) {
      const owner = { installation, name };
      const found = await inWords(findContainers(owner, env));
      const texts = await inWords(
        Promise.all(
          found.map(async (each) => {
            const text = (await nodes.logTail(each.id, lines)).trimEnd();
            return text.split("\n").map((line) => `${nodeId(owner, each.index)}  ${line}`);
          }),
        ),
      );
      return texts.flat().join("\n");
    },
  };
}

export const dockerProvider: SeedAgentProvider = dockerSeedAgents();

/** Settings that differ between nodes are joined, so that they equal no declared one. */
function together(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const names = new Set(all.flatMap((settings) => Object.keys(settings)));
  return Object.fromEntries(
    [...names].map((name) => [name, [...new Set(all.map((settings) => settings[name] ?? "unset"))].join(" and ")]),
  );
}

async function inWords<Result>(work: Promise<Result>, secrets: Readonly<Record<string, string>> = {}): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    throw new SeedAgentError(masked(error.message, Object.values(secrets)), { cause: error });
  }
}
