import { randomBytes } from "node:crypto";
import { imageMcpServers } from "./image/mcp-servers.ts";
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
import { bundleOf, currentBranch, diffOf, prepareRepository, readSource } from "./repository.ts";
import { loadRuntime } from "./runtimes/registry.ts";
import { type AgentRuntime, type ExecuteOptions, RuntimeError } from "./runtimes/runtime.ts";
import {
  type McpServer,
  memoryFolder,
  memoryPath,
  memoryVolume,
  repoPath,
  type SandboxProviderName,
  type SandboxSpec,
} from "./spec.ts";
import { type Steps, stepsIn } from "./steps.ts";

/** Makes sandboxes with a repository, a memory and an initialized runtime in them. */
export interface SandboxManager {
  /** @throws SandboxError that names the step; a half-made sandbox is torn down */
  start(spec: SandboxSpec, options: StartOptions): Promise<RunningSandbox>;
  /** A snapshot of a sandbox with the repository cloned, from which sandboxes start quicker. */
  warm(spec: SandboxSpec, options: Progress & Pick<StartOptions, "secrets">): Promise<WarmSnapshot>;
  /** Opens the session's sandbox after a restart of the service, or makes it again from its snapshot. */
  reopen(spec: SandboxSpec, options: ReopenOptions): Promise<RunningSandbox>;
  /**
   * A snapshot of a sandbox that was not opened again since a restart, without its runtime.
   *
   * @returns undefined if it is gone
   */
  snapshot(spec: SandboxSpec, sandboxId: string): Promise<string | undefined>;
  capabilities(spec: SandboxSpec): Promise<Capabilities>;
  /** Ends a sandbox that was not opened again since a restart, without its runtime. Succeeds if it is gone. */
  terminate(spec: SandboxSpec, sandboxId: string): Promise<void>;
  /** Succeeds if it is gone. */
  removeSnapshot(spec: SandboxSpec, snapshot: string): Promise<void>;
}

export interface StartOptions extends Progress {
  readonly sessionId: string;
  /** Values of the changeling's secrets that are set, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Overrides the declared branch. */
  readonly branch?: string | undefined;
  /** The changeling's warm snapshot, with the repository cloned. */
  readonly warmSnapshot?: WarmSnapshot | undefined;
  /** Called with the id of a new sandbox before it is made, so that one that is lost in a crash can be found. */
  readonly onNew?: ((sandboxId: string) => void) | undefined;
}

export interface WarmSnapshot {
  readonly id: string;
  /** Identifies the branches and tags of a repository of this machine that it has; undefined: not known. */
  readonly refs?: string | undefined;
}

export interface ReopenOptions extends StartOptions {
  /** undefined if it sleeps */
  readonly sandboxId: string | undefined;
  /** The session's last snapshot, used if the sandbox is gone. */
  readonly snapshot?: string | undefined;
  /** The runtime's last `state` event. */
  readonly state?: unknown;
}

/** A sandbox with an initialized runtime. */
export interface RunningSandbox {
  readonly sandboxId: string;
  /** @throws RuntimeError */
  prompt(text: string, options?: ExecuteOptions): Promise<string>;
  currentBranch(): Promise<string>;
  /** The work since the declared branch, committed or not, as a unified diff. Cut above `maxBytes`. */
  diff(maxBytes: number): Promise<string>;
  /** The work as a git bundle in base64: every commit since the declared branch, without uncommitted changes. */
  bundle(): Promise<string>;
  snapshot(): Promise<string>;
  terminate(): Promise<void>;
}

export interface ManagerOptions {
  readonly installation: string;
  provider(name: SandboxProviderName): Promise<SandboxProvider>;
}

/** How long a runtime may take to initialize, in milliseconds. */
const initializeMs = 120_000;

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
      return initialized(sandbox, spec, { ...options, head });
    });
  }

  async function reopen(spec: SandboxSpec, options: ReopenOptions): Promise<RunningSandbox> {
    const { sandboxId, snapshot, sessionId: session } = options;
    const found = sandboxId === undefined ? undefined : await (await open(spec.provider)).open(sandboxId);
    if (found !== undefined) return initialized(found, spec, options);
    if (snapshot === undefined) {
      throw new SandboxError("resume", "its sandbox is gone, and there is no snapshot of it");
    }
    options.onProgress?.("restoring the sandbox from its snapshot");
    const sandbox = await create(spec, { ...options, snapshot, session });
    return orTerminate(sandbox, () => initialized(sandbox, spec, options));
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

/** A half-made sandbox is torn down, and the reason why it could not be made is reported. */
async function orTerminate<Result>(sandbox: Sandbox, make: () => Promise<Result>): Promise<Result> {
  try {
    return await make();
  } catch (error) {
    await sandbox.terminate().catch((leftover: unknown) => {
      throw new SandboxError(
        "terminate",
        `${sandbox.id} could not be made (${reason(error)}), and not be terminated either (${reason(leftover)})`,
        { cause: error },
      );
    });
    throw error;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface InitializeOptions extends StartOptions {
  readonly state?: unknown;
  /** The branch that is checked out, if it is known. */
  readonly head?: string | undefined;
}

async function initialized(sandbox: Sandbox, spec: SandboxSpec, options: InitializeOptions): Promise<RunningSandbox> {
  const branch = branchIn(sandbox, spec, options.head);
  options.onProgress?.(`initializing the runtime ${spec.runtime}`);
  const runtime = (await loadRuntime(spec.runtime))();
  await withinTime(
    runtime.initialize({
      sandbox: branch.watched,
      sessionId: options.sessionId,
      repoPath: repoPath(spec),
      memoryPath,
      mcpServers: { ...serversOfImage(), ...spec.mcpServers },
      options: spec.runtimeConfig,
      env: environmentOf(spec, options.secrets),
      state: options.state,
    }),
  );
  return running(sandbox, spec, { runtime, branch, sessionId: options.sessionId });
}

interface CheckedOut {
  branch(): Promise<string>;
  /** The sandbox for programs that may check out another branch. */
  readonly watched: Sandbox;
}

/** Asks git for the branch only if something ran that may have changed it: on Modal, each question is a round trip. */
function branchIn(sandbox: Sandbox, spec: SandboxSpec, known: string | undefined): CheckedOut {
  let head = known;
  return {
    branch: async () => head ?? (await currentBranch(stepsIn(sandbox), spec)),
    watched: {
      id: sandbox.id,
      exec(argv, options) {
        head = undefined;
        return sandbox.exec(argv, options);
      },
      snapshot: (options) => sandbox.snapshot(options),
      terminate: () => sandbox.terminate(),
    },
  };
}

/** Those of the image. An agent uses those that are there: the github server needs a token, others a browser. */
function serversOfImage(): Record<string, McpServer> {
  return Object.fromEntries(
    Object.entries(imageMcpServers()).map(([name, { command, args, env }]) => [name, { command, args, env }]),
  );
}

function environmentOf({ env }: SandboxSpec, secrets: Readonly<Record<string, string>>): Record<string, string> {
  const token = secrets["GITHUB_TOKEN"];
  return { ...env, ...secrets, ...(token === undefined ? {} : { GH_TOKEN: token }) };
}

async function withinTime(initializing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    const late = new RuntimeError("timeout", `the runtime did not initialize within ${initializeMs / 1000} s`);
    timer = setTimeout(() => reject(late), initializeMs);
  });
  try {
    await Promise.race([initializing, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

function running(
  sandbox: Sandbox,
  spec: SandboxSpec,
  {
    runtime,
    branch: { branch: currentBranch },
    sessionId,
  }: { readonly runtime: AgentRuntime; readonly branch: CheckedOut; readonly sessionId: string },
): RunningSandbox {
  const steps: Steps = stepsIn(sandbox);
  return {
    sandboxId: sandbox.id,
    async prompt(text, options) {
      const branch = await currentBranch();
      const context = { repo: `${spec.owner}/${spec.repo}`, branch, sessionId, memoryPath };
      return runtime.execute(text, context, options);
    },
    currentBranch,
    diff: (maxBytes) => diffOf(steps, spec, maxBytes),
    bundle: () => bundleOf(steps, spec),
    snapshot: () => sandbox.snapshot(),
    async terminate() {
      // The sandbox ends in any case, and with it what the runtime started there.
      await runtime.terminate().catch(() => {});
      await sandbox.terminate();
    },
  };
}
