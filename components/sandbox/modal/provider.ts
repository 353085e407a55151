import type { App, Image, ModalClient, SandboxCreateParams, Sandbox as SdkSandbox, Volume } from "modal";
import { messageOf } from "../../lib/as-error.ts";
import { keptModalToken } from "../../modal/kept-token.ts";
import { ModalError } from "../../modal/modal-error.ts";
import { sandboxAppName, volumeName } from "../../modal/names.ts";
import { modalRpc } from "../../modal/rpc.ts";
import type { ModalOptions } from "../../modal/types.ts";
import { baseImage, dockerfileCommands } from "../image/image.ts";
import { type CreateOptions, type ListedSandbox, SandboxError, type SandboxProvider } from "../provider.ts";
import { memoryFolder } from "../spec.ts";
import { buildImage, type ModalImage } from "./image.ts";
import { modalNetwork } from "./network.ts";
import { type Attempt, ModalSandbox, untilAborted } from "./sandbox.ts";

export interface ModalSandboxOptions extends ModalOptions {
  /** The id of the installation that the sandboxes belong to. */
  readonly installation: string;
  /** Modal's environment; by default that of the token. */
  readonly environment?: string | undefined;
  readonly image: ModalImage;
}

/**
 * The provider for this installation: with the user's token, and the sandboxes' own image.
 *
 * @param folder the installation's folder for sandboxes, which may contain the token
 */
export function openModal(installation: string, folder: string): SandboxProvider {
  const image = { base: baseImage, dockerfileCommands: dockerfileCommands() };
  try {
    return modalSandboxes({ installation, image, token: keptModalToken(folder, process.env), env: process.env });
  } catch (error) {
    throw sandboxError("provider", error);
  }
}

const buildSeconds = 45 * 60;
const createSeconds = 5 * 60;
const teardownSeconds = 60;
/** Modal ends every sandbox after a day. */
const longestSeconds = 86_400;

/**
 * Sandboxes on Modal, all in one app per installation. A sandbox's id is its name on Modal, which is unique among the running
 * sandboxes of an app, so a sandbox whose creation was interrupted can be found by it.
 */
export function modalSandboxes(options: ModalSandboxOptions): SandboxProvider {
  const { ask, find } = modalRpc(options);
  const environment = options.environment === undefined ? {} : { environment: options.environment };
  const appName = sandboxAppName(options.installation);

  const attempt: Attempt = async (step, what, question, seconds) => {
    try {
      return await ask(what, question, seconds);
    } catch (error) {
      throw sandboxError(step, error);
    }
  };
  /** Cached, because every sandbox needs them and each lookup is a round trip. A failed creation clears the cache. */
  let app: Promise<App> | undefined;
  let image: Promise<string> | undefined;
  const images = new Map<string, Promise<Image>>();
  const volumes = new Map<string, Promise<Volume>>();
  const forget = (): void => {
    app = undefined;
    image = undefined;
    images.clear();
    volumes.clear();
  };
  function ownApp({ apps }: ModalClient): Promise<App> {
    app ??= apps.fromName(appName, { ...environment, createIfMissing: true });
    app.catch(forget);
    return app;
  }

  /** The running sandbox of this name. */
  async function named(step: string, id: string): Promise<SdkSandbox | undefined> {
    if (!/^[A-Za-z0-9-]{1,63}$/.test(id)) return undefined;
    try {
      return await find(`the sandbox ${id}`, ({ sandboxes }) => sandboxes.fromName(appName, id, environment));
    } catch (error) {
      throw sandboxError(step, error);
    }
  }

  /** Terminates the sandbox of a failed creation, also if Modal creates it only later. */
  async function tearDown(id: string, creating: Promise<SdkSandbox> | undefined): Promise<void> {
    void creating?.then((late) => late.terminate()).catch(() => {});
    const left = await named("create", id);
    if (left === undefined) return;
    await attempt("create", `the end of the sandbox ${id}`, () => left.terminate(), teardownSeconds);
  }

  return {
    capabilities: {
      isolation: "gvisor",
      snapshots: true,
      volumes: true,
      egress: "hosts",
      broker: false,
      expires: true,
      longestSeconds,
    },

    prepareImage(progress) {
      if (image !== undefined) return untilAborted("image", progress.signal, image);
      // Others may wait for it too, so the first caller's signal doesn't cancel it.
      const build = async (client: ModalClient, { signal }: { signal: AbortSignal }) =>
        buildImage(client, await ownApp(client), options.image, { ...progress, signal });
      image = attempt("image", "the image of sandboxes", build, buildSeconds);
      image.catch(forget);
      return untilAborted("image", progress.signal, image);
    },

    async ensureVolume(declared) {
      const name = volumeName(declared);
      if (volumes.has(name)) return false;
      try {
        const found = await find(`the volume ${name}`, (client) => client.volumes.fromName(name, environment));
        const volume = found ?? (await ask(`the new volume ${name}`, (client) => madeVolume(client, name)));
        volumes.set(name, Promise.resolve(volume));
        return found === undefined;
      } catch (error) {
        throw sandboxError("volume", error);
      }
    },

    async create(createOptions) {
      const { id, signal } = createOptions;
      const cancelled = new AbortController();
      let creating: Promise<SdkSandbox> | undefined;
      const make = async (client: ModalClient) => {
        const [app, image, volumes] = await Promise.all([
          ownApp(client),
          kept(images, createOptions.snapshot ?? createOptions.image, (id) => client.images.fromId(id)),
          mounts(client, createOptions),
        ]);
        cancelled.signal.throwIfAborted();
        creating = client.sandboxes.create(app, image, { ...parameters(createOptions), volumes });
        return await creating;
      };
      const tryOnce = () => attempt("create", `a new sandbox, ${id}`, make, createSeconds);
      try {
        const made = tryOnce().catch((error: unknown) => {
          // Something in the cache may have been removed since.
          if (!isOfKind(error, "not_found")) throw error;
          forget();
          return tryOnce();
        });
        const sandbox = await untilAborted("create", signal, made);
        return new ModalSandbox(id, sandbox, { mountPaths: Object.keys(createOptions.volumes), attempt });
      } catch (error) {
        cancelled.abort();
        forget();
        if (!isOfKind(error, "exists")) await tearDown(id, creating).catch(() => {});
        throw sandboxError("create", error);
      }
    },

    async open(id) {
      const found = await named("open", id);
      if (found === undefined) return undefined;
      const sandbox = new ModalSandbox(id, found, { mountPaths: [memoryFolder], attempt });
      return (await sandbox.takeOver()) ? sandbox : undefined;
    },

    async list(labels) {
      try {
        const infos = await find(`the sandboxes of ${appName}`, (client, { signal }) => running(client, signal));
        return (infos ?? []).filter((each) =>
          Object.entries(labels).every(([key, value]) => each.labels[key] === value),
        );
      } catch (error) {
        throw sandboxError("list", error);
      }
    },

    async removeSnapshot(id) {
      images.delete(id);
      try {
        await find(`the removal of the snapshot ${id}`, (client) => client.images.delete(id));
      } catch (error) {
        throw sandboxError("snapshot", error);
      }
    },
  };

  async function mounts(client: ModalClient, { volumes: mounted }: CreateOptions): Promise<Record<string, Volume>> {
    const found = Object.entries(mounted).map(
      async ([path, declared]) =>
        [path, await kept(volumes, volumeName(declared), (name) => madeVolume(client, name))] as const,
    );
    return Object.fromEntries(await Promise.all(found));
  }

  /** Creates the volume if it is missing. `sync` saves a sandbox's changes only on volumes of version 2. */
  async function madeVolume(client: ModalClient, name: string): Promise<Volume> {
    try {
      return await client.volumes.fromName(name, { ...environment, createIfMissing: true, version: 2 });
    } catch (error) {
      // It exists with version 1.
      if (error instanceof Error && error.name === "InvalidError")
        return await client.volumes.fromName(name, environment);
      throw error;
    }
  }

  /**
   * The running sandboxes of the app, with fields that the SDK's own list omits. Modal's filter by tags misses some: see
   * `components/modal/sandboxes.ts`.
   */
  async function running({ apps, cpClient }: ModalClient, signal: AbortSignal): Promise<ListedSandbox[]> {
    const { appId } = await apps.fromName(appName, environment);
    const found: ListedSandbox[] = [];
    let beforeTimestamp: number | undefined;
    for (;;) {
      const page = await cpClient.sandboxListV2({ appId, ...(beforeTimestamp && { beforeTimestamp }) }, { signal });
      const last = page.sandboxes.at(-1);
      if (last === undefined) return found;
      beforeTimestamp = last.createdAt;
      for (const { name, tags, createdAt } of page.sandboxes) {
        if (name === "") continue;
        const labels = Object.fromEntries(tags.map(({ tagName, tagValue }) => [tagName, tagValue]));
        found.push({ id: name, labels, createdAt: new Date(createdAt * 1000).toISOString() });
      }
    }
  }
}

function kept<Value>(
  values: Map<string, Promise<Value>>,
  key: string,
  find: (key: string) => Promise<Value>,
): Promise<Value> {
  const known = values.get(key);
  if (known !== undefined) return known;
  const finding = find(key);
  values.set(key, finding);
  finding.catch(() => values.delete(key));
  return finding;
}

/** @throws Error with a remedy, if Modal can't do what is declared */
function parameters({ id, labels, spec }: CreateOptions): SandboxCreateParams {
  const { cpu, memoryGb, timeoutSeconds } = spec;
  if (timeoutSeconds > longestSeconds) {
    throw new Error(`Modal ends every sandbox after 24 hours; set timeout_seconds to ${longestSeconds} or less`);
  }
  const memoryMiB = memoryGb === undefined ? undefined : Math.round(memoryGb * 1024);
  return {
    name: id,
    tags: { ...labels },
    timeoutMs: Math.ceil(timeoutSeconds) * 1000,
    workdir: "/",
    ...(cpu !== undefined && { cpu, cpuLimit: cpu }),
    ...(memoryMiB !== undefined && { memoryMiB, memoryLimitMiB: memoryMiB }),
    ...modalNetwork(spec),
  };
}

function sandboxError(step: string, error: unknown): SandboxError {
  if (error instanceof SandboxError) return error;
  return new SandboxError(step, messageOf(error), { cause: error });
}

function isOfKind(error: unknown, kind: ModalError["kind"]): boolean {
  return error instanceof SandboxError && error.cause instanceof ModalError && error.cause.kind === kind;
}
