import { imageMcpServers } from "./image/mcp-servers.ts";
import type { Progress, Sandbox } from "./provider.ts";
import { bundleOf, currentBranch, diffOf } from "./repository.ts";
import { loadRuntime } from "./runtimes/registry.ts";
import { type AgentRuntime, type ExecuteOptions, RuntimeError } from "./runtimes/runtime.ts";
import { type McpServer, memoryPath, repoPath, type SandboxSpec } from "./spec.ts";
import { stepsIn } from "./steps.ts";

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

/** How long a runtime may take to initialize, in milliseconds. */
const initializeMs = 120_000;

export interface InitializeOptions extends Progress {
  readonly sessionId: string;
  /** Values of the changeling's secrets, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The runtime's last `state` event. */
  readonly state?: unknown;
  /** The branch that is checked out, if known. */
  readonly head?: string | undefined;
}

/** Initializes the changeling's runtime in a sandbox that contains its repository. @throws RuntimeError */
export async function initializedSandbox(
  sandbox: Sandbox,
  spec: SandboxSpec,
  options: InitializeOptions,
): Promise<RunningSandbox> {
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
  /** The same sandbox, for programs that may check out another branch. */
  readonly watched: Sandbox;
}

/** Runs git only after a program that may have checked out another branch: on Modal, each exec is a round trip. */
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
      accessApi: sandbox.accessApi?.bind(sandbox),
      snapshot: (options) => sandbox.snapshot(options),
      terminate: () => sandbox.terminate(),
    },
  };
}

/** Some may not start, and the agent goes without them: the github server needs a token, others need a browser. */
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
  const steps = stepsIn(sandbox);
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
      // If that fails, the sandbox's end also ends what the runtime started there.
      await runtime.terminate().catch(() => {});
      await sandbox.terminate();
    },
  };
}
