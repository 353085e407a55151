import { randomBytes } from "node:crypto";
import { messageOf } from "../lib/as-error.ts";
import { lifetimeOf } from "./lifetime.ts";
import { warmSession } from "./orphans.ts";
import {
  type Capabilities,
  type CreateOptions,
  type Progress,
  type Sandbox,
  SandboxError,
  type SandboxProvider,
} from "./provider.ts";
import { prepareRepository, readSource } from "./repository.ts";
import { initializedSandbox, type RunningSandbox } from "./running-sandbox.ts";
import { memoryFolder, memoryVolume, type SandboxProviderName, type SandboxSpec } from "./spec.ts";
import { stepsIn } from "./steps.ts";

/** Creates sandboxes that contain a repository, a memory and an initialized runtime. */
export interface SandboxManager {
  /** @throws SandboxError that names the step; the incomplete sandbox is terminated */
  start(spec: SandboxSpec, options: StartOptions): Promise<RunningSandbox>;
  /** Makes a snapshot of a sandbox with the repository cloned, from which sandboxes start faster. */
  warm(spec: SandboxSpec, options: Progress & Pick<StartOptions, "secrets">): Promise<WarmSnapshot>;
  /** Opens the session's sandbox after a restart of the service, or creates it again from its snapshot. */
  reopen(spec: SandboxSpec, options: ReopenOptions): Promise<RunningSandbox>;
  /**
   * Makes a snapshot of a sandbox that was not opened since a restart, so that its runtime need not be initialized.
   *
   * @returns undefined if it is gone
   */
  snapshot(spec: SandboxSpec, sandboxId: string): Promise<string | undefined>;
  capabilities(spec: SandboxSpec): Promise<Capabilities>;
  /** Terminates a sandbox that was not opened since a restart. Succeeds if it is gone. */
  terminate(spec: SandboxSpec, sandboxId: string): Promise<void>;
  /** Succeeds if it is gone. */
  removeSnapshot(spec: SandboxSpec, snapshot: string): Promise<void>;
}

export interface StartOptions extends Progress {
  readonly sessionId: string;
  /** Values of the changeling's secrets, by name. Unset ones are missing. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Overrides the declared branch. */
  readonly branch?: string | undefined;
  /** The changeling's warm snapshot, with the repository cloned. */
  readonly warmSnapshot?: WarmSnapshot | undefined;
  /** Called with the id of a new sandbox before it is created, so that it can be found after a crash. */
  readonly onNew?: ((sandboxId: string) => void) | undefined;
}

export interface WarmSnapshot {
  readonly id: string;
  /** A hash of the branches and tags that it has, for a repository on this machine; undefined: unknown. */
  readonly refs?: string | undefined;
}

export interface ReopenOptions extends StartOptions {
  /** undefined if it is asleep */
  readonly sandboxId: string | undefined;
  /** The session's last snapshot, used if the sandbox is gone. */
  readonly snapshot?: string | undefined;
  /** The runtime's last `state` event. */
  readonly state?: unknown;
}

export interface ManagerOptions {
  readonly installation: string;
  provider(name: SandboxProviderName): Promise<SandboxProvider>;
}

export function sandboxManager({ installation, provider: open }: ManagerOptions): SandboxManager {
  return {
    ...{ start, reopen, warm },
    snapshot: async (spec, id) => (await (await open(spec.provider)).open(id))?.snapshot(),
    capabilities: async (spec) => (await open(spec.provider)).capabilities,
    terminate: async (spec, id) => (await (await open(spec.provider)).open(id))?.terminate(),
    removeSnapshot: async (spec, snapshot) => (await open(spec.provider)).removeSnapshot(snapshot),
  };

  async function start(spec: SandboxSpec, options: StartOptions): Promise<RunningSandbox> {
    const { warmSnapshot, branch = spec.branch } = options;
    const source = readSource(spec, warmSnapshot?.refs);
    const from = { snapshot: warmSnapshot?.id, isShared: true, session: options.sessionId };
    const sandbox = await create(spec, { ...options, ...from });
    return orTerminate(sandbox, async () => {
      const steps = stepsIn(sandbox, options.signal);
      const token = options.secrets["GITHUB_TOKEN"];
      const isWarm = warmSnapshot !== undefined;
      options.onProgress?.(isWarm ? "updating the repository" : `cloning ${spec.owner}/${spec.repo}`);
      const what = isWarm ? "update and set up" : "clone and set up";
      const head = await prepareRepository(steps, spec, { branch, token, what, source });
      return initializedSandbox(sandbox, spec, { ...options, head });
    });
  }

  async function reopen(spec: SandboxSpec, options: ReopenOptions): Promise<RunningSandbox> {
    const { sandboxId, snapshot, sessionId: session } = options;
    const found = sandboxId === undefined ? undefined : await (await open(spec.provider)).open(sandboxId);
    if (found !== undefined) return initializedSandbox(found, spec, options);
    if (snapshot === undefined) {
      throw new SandboxError("resume", "its sandbox is gone, and there is no snapshot of it");
    }
    options.onProgress?.("restoring the sandbox from its snapshot");
    const sandbox = await create(spec, { ...options, snapshot, session });
    return orTerminate(sandbox, () => initializedSandbox(sandbox, spec, options));
  }

  async function warm(spec: SandboxSpec, options: Parameters<SandboxManager["warm"]>[1]): Promise<WarmSnapshot> {
    const source = readSource(spec);
    const sandbox = await create(spec, { ...options, session: warmSession });
    const steps = stepsIn(sandbox, options.signal);
    try {
      options.onProgress?.(`cloning ${spec.owner}/${spec.repo}`);
      const token = options.secrets["GITHUB_TOKEN"];
      await prepareRepository(steps, spec, { branch: spec.branch, token, what: "clone", source });
      const { refs } = await source;
      options.onProgress?.("making the snapshot");
      return { id: await sandbox.snapshot(options), ...(refs === undefined ? {} : { refs }) };
    } finally {
      await sandbox.terminate();
    }
  }

  async function create(
    spec: SandboxSpec,
    options: Progress &
      Pick<StartOptions, "onNew"> &
      Pick<CreateOptions, "snapshot" | "isShared"> & { readonly session: string },
  ): Promise<Sandbox> {
    const { session, snapshot, isShared, signal, onProgress, onNew } = options;
    const provider = await open(spec.provider);
    const image = await provider.prepareImage({ spec, signal, onProgress });
    const volume = memoryVolume(spec);
    await provider.ensureVolume(volume);
    onProgress?.("creating the sandbox");
    const id = `sbx-${session}-${randomBytes(3).toString("hex")}`;
    onNew?.(id);
    return provider.create({
      spec: { ...spec, timeoutSeconds: lifetimeOf(spec, provider.capabilities).endAfterSeconds },
      ...{ image, snapshot, isShared, signal, onProgress },
      id,
      volumes: { [memoryFolder]: volume },
      labels: { installation, changeling: spec.name, session },
    });
  }
}

/** Terminates the sandbox if `make` fails, and throws what `make` threw. */
async function orTerminate<Result>(sandbox: Sandbox, make: () => Promise<Result>): Promise<Result> {
  try {
    return await make();
  } catch (error) {
    await sandbox.terminate().catch((leftover: unknown) => {
      throw new SandboxError(
        "terminate",
        `${sandbox.id} could not be set up (${messageOf(error)}), and could not be terminated either (${messageOf(leftover)})`,
        { cause: error },
      );
    });
    throw error;
  }
}
