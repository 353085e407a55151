import { randomUUID } from "node:crypto";
import * as z from "zod/mini";
import { dockerClient } from "../../docker/client.ts";
import { DockerError, NoSuchThing, runDocker } from "../../docker/run-docker.ts";
import { messageOf } from "../../lib/as-error.ts";
import { proxyVariables } from "../egress/environment.ts";
import { imageEnvironment } from "../image/image.ts";
import { type CreateOptions, type Sandbox, SandboxError, SandboxGone, type SandboxProvider } from "../provider.ts";
import { sweep } from "../supervisor.ts";
import { containerEgress, egressMount } from "./egress.ts";
import { execInContainer } from "./exec.ts";
import { buildImage } from "./image.ts";

export interface DockerSandboxOptions {
  readonly installation: string;
  /** The installation's folder for sandboxes; see `installationPaths`. */
  readonly sandboxes: string;
  /** Environment of docker's client, for instance `DOCKER_HOST`. */
  readonly env: NodeJS.ProcessEnv;
  /** The Dockerfile of the base image, built without a context. By default the sandboxes' own, with the mirrors in `env`. */
  readonly dockerfile?: string;
}

const label = "changelings-sandbox";
const snapshots = "changelings-sandbox-snapshot";
/** A `SandboxRecord` as JSON. A container inherits all other labels from its snapshot's image. */
const recordLabel = "changelings-sandbox-record";
const maxProcesses = 4096;
const proxyNames = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);
/** A container that was created this long ago and not started is an orphan, in milliseconds. */
const unstartedMs = 10 * 60_000;
const timeoutSeconds = { query: 60, change: 600 };

const container = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  Created: z.string(),
  State: z.object({ Running: z.boolean(), Status: z.string() }),
  Config: z.object({ Labels: z.record(z.string(), z.string()) }),
});
type Container = z.output<typeof container>;

const sandboxRecord = z.object({
  id: z.string(),
  labels: z.record(z.string(), z.string()),
  allowDomains: z.optional(z.array(z.string())),
  /** Whether the proxy's socket is mounted. Missing in containers of older releases, which have it if a host is allowed. */
  hasProxy: z.optional(z.boolean()),
});
type SandboxRecord = z.output<typeof sandboxRecord>;

/** Sandboxes in containers on this machine's Docker. All programs of a sandbox share one container. */
export function dockerSandboxes(options: DockerSandboxOptions): SandboxProvider {
  const { installation, sandboxes, env } = options;
  const client = dockerClient(env);
  const egress = containerEgress(sandboxes, env);
  const run = async (args: readonly string[], seconds = timeoutSeconds.query, input?: string) =>
    (await runDocker(args, { env, timeoutSeconds: seconds, ...(input !== undefined && { input }) })).stdout.trim();
  const nameOf = (id: string) => `${label}-${id}`;

  const inspect = async (names: readonly string[]): Promise<Container[]> => {
    if (names.length === 0) return [];
    try {
      const printed = await run(["container", "inspect", ...names]);
      return z.array(container).parse(JSON.parse(printed));
    } catch (error) {
      if (!(error instanceof NoSuchThing)) throw error;
      // Docker fails if one of several is missing.
      return names.length === 1 ? [] : (await Promise.all(names.map((name) => inspect([name])))).flat();
    }
  };
  /** @returns undefined if it is missing, incomplete, or belongs to another installation */
  const find = async (id: string): Promise<Container | undefined> => {
    if (!/^[A-Za-z0-9-]{1,63}$/.test(id)) return undefined;
    const [found] = await inspect([nameOf(id)]);
    return found !== undefined && isOwn(found) ? found : undefined;
  };
  const isOwn = ({ Name, Config, State }: Container) =>
    Config.Labels[label] === installation &&
    Name.startsWith(`/${nameOf("")}`) &&
    !["created", "removing", "dead"].includes(State.Status);

  async function remove(name: string, usedImage?: string): Promise<void> {
    await client.removeContainer(name);
    if (usedImage === undefined) return;
    // A snapshot that was removed while its sandbox ran stays as an image without a name.
    const tags = await run(["image", "inspect", "--format", "{{len .RepoTags}}", usedImage]).catch(() => "1");
    if (tags === "0") await client.removeImage(usedImage).catch(() => {});
  }

  function sandbox({ id, allowDomains, ...record }: SandboxRecord, Id: string): Sandbox {
    const { hasProxy = allowDomains?.length !== 0 } = record;
    const variables = { ...imageEnvironment, ...(hasProxy ? proxyVariables : {}) };
    const checkLive = async () => {
      const [found] = await inspect([Id]);
      if (found?.State.Running !== true) throw new SandboxGone(id);
    };
    return {
      id,
      async exec(argv, execOptions) {
        if (execOptions.signal?.aborted) return { code: 130, stdout: "", stderr: "" };
        try {
          if (hasProxy) await egress.use(id, Id, allowDomains);
        } catch (error) {
          await checkLive();
          throw error;
        }
        const end = await execInContainer(Id, argv, execOptions, { env, variables });
        if (end.code !== 0) await checkLive();
        return end;
      },
      accessApi: hasProxy ? (api) => egress.broker(id).access(api) : undefined,
      async snapshot({ signal } = {}) {
        await checkLive();
        const snapshot = `${snapshots}:${id}-${randomUUID()}`;
        await run(["commit", Id, snapshot], timeoutSeconds.change);
        if (signal?.aborted) await client.removeImage(snapshot);
        signal?.throwIfAborted();
        return snapshot;
      },
      async terminate() {
        const [found] = await inspect([Id]);
        await remove(Id, found?.Image);
        egress.end(id);
      },
    };
  }

  /** Removes containers that a process created and, because it was killed, never started. */
  async function removeUnstarted(): Promise<void> {
    const filters = ["--filter", `label=${label}=${installation}`, "--filter", "status=created"];
    const listed = await run(["container", "ls", "--all", "--quiet", "--no-trunc", ...filters]);
    for (const { Id, Created } of await inspect(listed.split("\n").filter(Boolean))) {
      if (Date.now() - Date.parse(Created) > unstartedMs) await client.removeContainer(Id);
    }
  }

  async function create({ id, spec, snapshot, volumes, labels, signal, ...given }: CreateOptions): Promise<Sandbox> {
    if (!/^[A-Za-z0-9-]{1,63}$/.test(id)) throw new Error(`${JSON.stringify(id)} is not the id of a sandbox`);
    signal?.throwIfAborted();
    const { allowDomains, cpu, memoryGb } = spec;
    // A remote daemon can't mount the socket. It can run sandboxes that need no proxy. The broker is behind the proxy.
    const hasProxy = allowDomains?.length !== 0 || (await needsBroker(spec.runtime));
    const record: SandboxRecord = { id, labels, allowDomains, hasProxy };
    const own = { ...labels, [label]: installation, [recordLabel]: JSON.stringify(record) };
    const args = [
      ...["container", "create", "--name", nameOf(id), "--hostname", id.slice(0, 63), "--init", "--network", "none"],
      ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", String(maxProcesses)],
      ...(memoryGb === undefined ? [] : ["--memory", bytes(memoryGb), "--memory-swap", bytes(memoryGb)]),
      ...(cpu === undefined ? [] : ["--cpus", String(cpu)]),
      ...Object.entries(own).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
      // Docker's client would set its own configured proxies, which can contain a password.
      ...proxyNames.flatMap((name) => ["--env", `${name}=`]),
      ...Object.entries(volumes).flatMap(([path, name]) => ["--mount", `type=volume,src=${name},dst=${path}`]),
      ...(hasProxy ? ["--mount", `type=bind,src=${egress.folderOf(id)},dst=${egressMount},readonly`] : []),
      // By default, Docker would pull a missing image.
      ...["--pull", "never", "--entrypoint", "sleep", snapshot ?? given.image, "infinity"],
    ];
    const made = await run(args, timeoutSeconds.change).catch((error: unknown) => {
      // An existing sandbox of the same id keeps its folder.
      if (!(error instanceof DockerError && /already in use/.test(error.message))) egress.end(id);
      throw error;
    });
    try {
      signal?.throwIfAborted();
      await run(["container", "start", made], timeoutSeconds.change);
      return sandbox(record, made);
    } catch (error) {
      await remove(made);
      egress.end(id);
      throw error;
    }
  }

  return {
    capabilities: {
      ...{ isolation: "container", snapshots: true, volumes: true, egress: "hosts", broker: true, expires: false },
    },
    async prepareImage({ onProgress, signal }) {
      signal?.throwIfAborted();
      await removeUnstarted();
      return buildImage(options.dockerfile, { env, onProgress, signal });
    },
    async ensureVolume(name) {
      if (await client.hasVolume(name)) return false;
      await client.createVolume(name, { [label]: installation });
      return true;
    },
    async create(createOptions) {
      try {
        return await create(createOptions);
      } catch (error) {
        if (error instanceof SandboxError) throw error;
        throw new SandboxError("create", messageOf(error), { cause: error });
      }
    },
    async open(id) {
      const found = await find(id);
      if (found === undefined) return undefined;
      // Docker was restarted, or a program in the container ended its first process.
      if (!found.State.Running) await run(["container", "start", found.Id], timeoutSeconds.change);
      await run(["exec", found.Id, ...sweep], timeoutSeconds.change);
      return sandbox(recordOf(found), found.Id);
    },
    async list(labels) {
      const filters = Object.entries({ ...labels, [label]: installation });
      const listed = await run([
        ...["container", "ls", "--all", "--quiet", "--no-trunc"],
        ...filters.flatMap(([name, value]) => ["--filter", `label=${name}=${value}`]),
      ]);
      const found = (await inspect(listed.split("\n").filter(Boolean))).filter(isOwn);
      return found.flatMap((each) => {
        const record = recordOf(each);
        const isWanted = Object.entries(labels).every(([name, value]) => record.labels[name] === value);
        const createdAt = new Date(each.Created).toISOString();
        return isWanted ? [{ id: record.id, labels: record.labels, createdAt }] : [];
      });
    },
    async removeSnapshot(id) {
      if (!id.startsWith(`${snapshots}:`)) return;
      try {
        await run(["image", "rm", "--force", id], timeoutSeconds.change);
      } catch (error) {
        if (!(error instanceof NoSuchThing)) throw error;
      }
    },
  };
}

function recordOf({ Config }: Container): SandboxRecord {
  return sandboxRecord.parse(JSON.parse(Config.Labels[recordLabel] ?? "{}"));
}

/** Programs that only list or remove sandboxes don't load the runtimes. */
async function needsBroker(runtime: string): Promise<boolean> {
  const { usesBroker } = await import("../runtimes/registry.ts");
  return usesBroker(runtime);
}

function bytes(gigabytes: number): string {
  return String(Math.round(gigabytes * 1024 ** 3));
}
