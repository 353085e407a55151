import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureFolder, writePrivateFile } from "../../host/files.ts";
import { messageOf } from "../../lib/as-error.ts";
import { appFiles, imageId } from "../image/image.ts";
import type { LocalPart } from "../image/tools.ts";
import {
  type CreateOptions,
  type PrepareOptions,
  type Progress,
  SandboxError,
  type SandboxProvider,
} from "../provider.ts";
import type { SandboxSpec } from "../spec.ts";
import { ownConfiguration } from "./confinement.ts";
import { type SandboxFiles, sandboxFiles } from "./files.ts";
import { checkIsolation } from "./isolation-check.ts";
import { type Enforcement, enforce } from "./limits.ts";
import { localNetworks } from "./networks.ts";
import {
  createWhole,
  isName,
  type LocalPaths,
  listRecords,
  localPaths,
  makeFolderOnce,
  ownFolders,
  readRecord,
  type SandboxRecord,
  writeRecord,
} from "./paths.ts";
import { endRunning } from "./running.ts";
import { type LocalParts, localSandbox, unconfinedMark } from "./sandbox.ts";
import { localSpares, type Spares } from "./spares.ts";
import { findTools, type LocalTools, partsOf } from "./tools.ts";

export interface LocalOptions {
  /** The installation's folder for sandboxes; see `installationPaths`. */
  readonly sandboxes: string;
  /** For `capabilities` alone; each sandbox has the isolation that its spec declares. */
  readonly isolation?: SandboxSpec["isolation"];
  /** Finds bubblewrap and npm packages. */
  readonly findTools?: typeof findTools;
}

/**
 * Sandboxes on this machine. Each program runs in its own bubblewrap. Between two programs a sandbox is only files, so an
 * idle sandbox uses neither memory nor a process.
 */
export function localProvider(options: LocalOptions): SandboxProvider {
  const { isolation = "sandbox", findTools: find = findTools } = options;
  const paths = localPaths(options.sandboxes);
  const networks = localNetworks();
  const limits = new Map<string, Enforcement>();
  const spares = localSpares(paths);

  const partsFor = async (kind: SandboxRecord["isolation"], needed: readonly LocalPart[], progress: Progress) => {
    const tools = await toolsFor(kind, needed, progress);
    return { paths, networks, limits, tools, files: filesFor(kind, tools) } satisfies LocalParts;
  };
  const toolsFor = async (kind: SandboxRecord["isolation"], needed: readonly LocalPart[], progress: Progress) => {
    if (kind === "none" && needed.length === 0) return undefined;
    const tools = await find(needed, progress);
    if (kind === "sandbox") await checkIsolation(tools.bwrap);
    return tools;
  };
  const filesFor = (kind: SandboxRecord["isolation"], tools: LocalTools | undefined): SandboxFiles =>
    sandboxFiles(kind === "none" ? undefined : tools?.bwrap);

  return {
    capabilities: {
      isolation: isolation === "none" ? "none" : "namespaces",
      snapshots: true,
      volumes: true,
      egress: isolation === "none" ? "none" : "hosts",
      broker: isolation !== "none",
      expires: false,
    },
    async prepareImage({ spec, ...progress }: PrepareOptions) {
      await partsFor(spec?.isolation ?? "sandbox", specParts(spec), progress);
      return prepareImage(paths);
    },
    async ensureVolume(name) {
      return ensureVolume(paths, name);
    },
    async create(options) {
      try {
        const { spec } = options;
        const parts = await partsFor(spec.isolation, specParts(spec), options);
        for (const folder of [paths.sandboxes, paths.snapshots]) await parts.files.sweep(folder);
        await spares.sweep(parts.files);
        const record = await createSandbox(paths, parts.files, options, spares);
        if (options.snapshot !== undefined && options.isShared) spares.refill(options.snapshot, parts.files);
        if (record.isolation === "sandbox") {
          const enforcement = enforce(record.id, record);
          limits.set(record.id, enforcement);
          for (const option of enforcement.missing) {
            options.onProgress?.(`${option} is not enforced: you can't create control groups on this machine`);
          }
        }
        return localSandbox(record, parts);
      } catch (error) {
        if (error instanceof SandboxError) throw error;
        throw new SandboxError("create", messageOf(error), { cause: error });
      }
    },
    async open(id) {
      const record = readRecord(paths, id);
      if (record === undefined) return undefined;
      const parts = await partsFor(record.isolation, record.parts, {});
      await endRunning(join(paths.sandboxes, id));
      return localSandbox(record, parts);
    },
    async list(labels) {
      const wanted = Object.entries(labels);
      return listRecords(paths)
        .filter((record) => wanted.every(([name, value]) => record.labels[name] === value))
        .map(({ id, labels, createdAt }) => ({ id, labels, createdAt }));
    },
    async removeSnapshot(id) {
      if (!isName(id)) return;
      const folder = join(paths.snapshots, id);
      if (!existsSync(folder)) return;
      const { files } = await partsFor(existsSync(join(folder, unconfinedMark)) ? "none" : "sandbox", [], {});
      await files.discard(folder);
      await spares.remove(id, files);
    },
  };
}

function specParts(spec: SandboxSpec | undefined): LocalPart[] {
  return spec === undefined ? [] : partsOf(spec.runtime);
}

/** Copies the image's files, so that an upgrade of this program doesn't change them under a running sandbox. */
async function prepareImage({ images }: LocalPaths): Promise<string> {
  const id = imageId();
  if (existsSync(join(images, id))) return id;
  try {
    const fill = (folder: string) => {
      for (const [path, text] of appFiles()) writePrivateFile(join(folder, "app", path), text);
      for (const [name, text] of Object.entries(ownConfiguration)) writePrivateFile(join(folder, "etc", name), text);
    };
    await createWhole(images, id, fill, sandboxFiles(undefined).remove);
  } catch (error) {
    // Another process created it.
    if (!existsSync(join(images, id))) throw error;
  }
  return id;
}

function ensureVolume({ volumes }: LocalPaths, name: string): boolean {
  if (!isName(name)) throw new SandboxError("volume", `${JSON.stringify(name)} is not the name of a volume`);
  ensureFolder(volumes);
  return makeFolderOnce(join(volumes, name));
}

async function createSandbox(
  paths: LocalPaths,
  files: SandboxFiles,
  options: CreateOptions,
  spares: Spares,
): Promise<SandboxRecord> {
  const { id, spec, snapshot, volumes, signal } = options;
  const refuse = (reason: string) => new SandboxError("create", reason);
  if (!/^[A-Za-z0-9-]{1,63}$/.test(id)) throw refuse(`${JSON.stringify(id)} is not the id of a sandbox`);
  if (snapshot !== undefined && !(isName(snapshot) && existsSync(join(paths.snapshots, snapshot)))) {
    throw refuse(`there is no snapshot ${snapshot}`);
  }
  for (const path of Object.keys(volumes)) {
    // Programs of the sandbox can replace deeper folders with symlinks.
    if (!/^\/(workspace|root|tmp)\/[A-Za-z0-9_.-]+$/.test(path) || /\/\.{1,2}$/.test(path)) {
      throw refuse(`a volume can't be at ${path}: use a folder directly below /root, /workspace or /tmp`);
    }
  }
  const record: SandboxRecord = {
    id,
    labels: options.labels,
    createdAt: new Date().toISOString(),
    image: await prepareImage(paths),
    isolation: spec.isolation,
    volumes,
    allowDomains: spec.allowDomains,
    memoryGb: spec.memoryGb,
    cpu: spec.cpu,
    parts: specParts(spec),
  };
  for (const name of Object.values(volumes)) ensureVolume(paths, name);
  const fill = async (folder: string) => {
    if (snapshot !== undefined) {
      if (!spares.take(snapshot, folder)) await files.copy(join(paths.snapshots, snapshot), folder, signal);
    } else for (const name of ownFolders) ensureFolder(join(folder, "files", name));
    ensureFolder(join(folder, "running"));
    if (spec.isolation === "none") linkVolumes(paths, folder, volumes);
    signal?.throwIfAborted();
    writeRecord(folder, record);
  };
  if (existsSync(join(paths.sandboxes, id))) throw refuse(`there already is a sandbox ${id}`);
  await createWhole(paths.sandboxes, id, fill, files.remove);
  return record;
}

/** Without isolation nothing can be mounted. */
function linkVolumes(paths: LocalPaths, folder: string, volumes: Readonly<Record<string, string>>): void {
  for (const [path, name] of Object.entries(volumes)) {
    const link = join(folder, "files", path);
    mkdirSync(dirname(link), { recursive: true, mode: 0o700 });
    if (!existsSync(link)) symlinkSync(join(paths.volumes, name), link);
  }
}
