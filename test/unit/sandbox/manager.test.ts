import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { sandboxManager } from "../../../components/sandbox/manager.ts";
import type {
  CreateOptions,
  ExecEnd,
  ExecOptions,
  Sandbox,
  SandboxProvider,
} from "../../../components/sandbox/provider.ts";
import type { SandboxSpec } from "../../../components/sandbox/spec.ts";
import { Repository } from "../../support/repository.ts";

const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
const { spec } = sandboxOf("example", { repo: "me/app", userName: "Test User", env: { LOG: "debug" } });
const past = { author: "Somebody", at: "2026-01-01T00:00:00Z" };
const session = { sessionId: "0123456789abcdef0123", secrets: { GITHUB_TOKEN: token } };

interface Call extends ExecOptions {
  readonly argv: readonly string[];
}

/** Records what a manager does with sandboxes, which answer as a test says. */
class RecordingProvider implements SandboxProvider {
  readonly capabilities = {
    isolation: "none",
    snapshots: true,
    volumes: true,
    egress: "none",
    broker: false,
    expires: false,
  } as const;
  readonly calls: Call[] = [];
  readonly created: CreateOptions[] = [];
  readonly terminated: string[] = [];
  readonly live = new Map<string, Sandbox>();
  answer: (argv: readonly string[]) => Partial<ExecEnd> = () => ({});
  terminateFails = false;

  prepareImage = async () => "image-1";
  ensureVolume = async () => true;
  open = async (id: string) => this.live.get(id);
  list = async () => [];
  removeSnapshot = async () => {};

  async create(options: CreateOptions): Promise<Sandbox> {
    this.created.push(options);
    const { id } = options;
    const sandbox: Sandbox = {
      id,
      exec: async (argv, given) => {
        this.calls.push({ argv, ...given });
        return { code: 0, stdout: "", stderr: "", ...this.answer(argv) };
      },
      snapshot: async () => "snapshot-1",
      terminate: async () => {
        if (this.terminateFails) throw new Error("the provider does not answer");
        this.terminated.push(id);
        this.live.delete(id);
      },
    };
    this.live.set(id, sandbox);
    return sandbox;
  }
}

describe("a sandbox's start", () => {
  let provider: RecordingProvider;
  const manager = () => sandboxManager({ installation: "0123456789ab", provider: async () => provider });
  const isPreparation = (argv: readonly string[]) => argv.at(-1) === "/root/.mcp-memory/memory.jsonl";
  beforeEach(() => {
    provider = new RecordingProvider();
  });

  it("mounts the repository's memory, clones, and sets the identity with the suffix", async () => {
    const { sandboxId } = await manager().start(spec, session);
    expect(provider.created).toMatchObject([
      {
        id: sandboxId,
        image: "image-1",
        volumes: { "/root/.mcp-memory": "harvest-memory-me-app" },
        labels: { installation: "0123456789ab", changeling: "example", session: session.sessionId },
      },
    ]);
    expect(sandboxId).toMatch(/^sbx-[0-9a-z-]{1,59}$/);
    // Each is a round trip, which on Modal takes longer than the work.
    expect(provider.calls).toHaveLength(1);
    const [{ argv, env }] = provider.calls as [Call];
    expect(argv.slice(4)).toEqual([
      ...["/workspace/app", "https://github.com/me/app", "main", "clone", "no", "yes"],
      "/root/.mcp-memory/memory.jsonl",
    ]);
    expect(env?.["MEMORY_SEED"]).toContain('"type":"entity"');
    expect(env?.["SETTINGS"]).toMatch(/^\[credential "https:\/\/github.com"\]\n.*GITHUB_TOKEN/);
    expect(env?.["SETTINGS"]).toContain(
      '[user]\n\tname = "Test User (Harvest)"\n\temail = "example@changelings.invalid"\n',
    );
  });

  it("leaves time to save it where the provider ends it by itself", async () => {
    const lives = async (timeoutSeconds: number, longestSeconds?: number) => {
      Object.assign(provider, { capabilities: { ...provider.capabilities, longestSeconds } });
      await manager().start({ ...spec, timeoutSeconds }, session);
      return provider.created.at(-1)?.spec.timeoutSeconds;
    };
    // Modal rejects the last one.
    expect([await lives(60), await lives(60, 86_400)]).toEqual([60, 960]);
    expect([await lives(86_400, 86_400), await lives(90_000, 86_400)]).toEqual([86_400, 90_000]);
  });

  it("gives the token to git's environment alone", async () => {
    await manager().start(spec, session);
    const clone = provider.calls.find(({ argv }) => isPreparation(argv));
    expect(clone?.env).toMatchObject({ GITHUB_TOKEN: token });
    for (const { argv, stdin = "" } of provider.calls) expect(`${argv.join(" ")} ${stdin}`).not.toContain(token);
    expect(JSON.stringify(provider.created)).not.toContain(token);
  });

  it.each([
    ["clone", 40],
    ["clone", 41],
    ["git", 42],
    ["memory", 43],
    ["update", 44],
  ])("that fails at %s (code %d) names the step, and leaves no sandbox", async (step, code) => {
    provider.answer = (argv) => (isPreparation(argv) ? { code, stderr: "fatal: disk full\n" } : {});
    await expect(manager().start(spec, session)).rejects.toThrow(`${step}: fatal: disk full`);
    expect([...provider.live.keys()]).toEqual([]);
    expect(provider.terminated).toHaveLength(1);
  });

  it("that hangs says how long it waited", async () => {
    provider.answer = (argv) => (isPreparation(argv) ? { code: 124 } : {});
    await expect(manager().start(spec, session)).rejects.toThrow("clone: it was not done within 900 s");
  });

  it("says which sandbox is left if it can't be terminated either", async () => {
    provider.answer = (argv) => (isPreparation(argv) ? { code: 1 } : {});
    provider.terminateFails = true;
    await expect(manager().start(spec, session)).rejects.toThrow(
      /^terminate: sbx-\S+ could not be set up \(clone: it ended with code 1\), and could not be terminated either/,
    );
  });

  it("with a runtime that is missing leaves no sandbox", async () => {
    const missing = { ...spec, runtime: "/nowhere/runtime.mjs" };
    await expect(manager().start(missing, session)).rejects.toThrow("the runtime /nowhere/runtime.mjs does not exist");
    expect(provider.terminated).toHaveLength(1);
  });

  it("from a warm snapshot updates the repository instead of cloning it", async () => {
    await manager().start(spec, { ...session, warmSnapshot: { id: "snapshot-1" }, branch: "develop" });
    expect(provider.created).toMatchObject([{ snapshot: "snapshot-1" }]);
    expect(provider.calls[0]?.argv.slice(6, 9)).toEqual(["develop", "update", "no"]);
  });
});

describe("a warm snapshot of a repository of this machine", () => {
  it("is sent only what it may not have", async () => {
    using repo = new Repository();
    repo.commit({ "README.md": "old" }, past);
    const provider = new RecordingProvider();
    const manager = sandboxManager({ installation: "0123456789ab", provider: async () => provider });
    const local = { ...spec, owner: "local", repo: "repo", url: repo.folder };
    const warmSnapshot = await manager.warm(local, { secrets: {} });
    await manager.start(local, { ...session, warmSnapshot });
    repo.commit({ "README.md": "new" }, past);
    await manager.start(local, { ...session, warmSnapshot });
    await manager.start(local, { ...session, warmSnapshot: { id: warmSnapshot.id } });
    const preparations = provider.calls.filter(({ argv }) => argv.at(-1) === "/root/.mcp-memory/memory.jsonl");
    expect(preparations.map(({ stdin }) => (stdin?.length ?? 0) > 0)).toEqual([true, false, true, true]);
    expect(preparations.map(({ argv }) => argv[7])).toEqual(["clone", "keep", "update", "update"]);
    // Nothing is fetched from elsewhere, so no start waits for a network.
    expect(preparations.map(({ needsNetwork }) => needsNetwork)).toEqual([false, false, false, false]);
  });
});

describe("a session's sandbox after a restart of the service", () => {
  let provider: RecordingProvider;
  const manager = () => sandboxManager({ installation: "0123456789ab", provider: async () => provider });
  beforeEach(() => {
    provider = new RecordingProvider();
  });

  it("is opened again", async () => {
    const { sandboxId } = await manager().start(spec, session);
    expect((await manager().reopen(spec, { ...session, sandboxId })).sandboxId).toBe(sandboxId);
    expect(provider.created).toHaveLength(1);
  });

  it("is made from its snapshot if it is gone, without another clone", async () => {
    const first = await manager().start(spec, session);
    await first.terminate();
    const commandsBefore = provider.calls.length;
    const again = await manager().reopen(spec, { ...session, sandboxId: first.sandboxId, snapshot: "snapshot-1" });
    expect(again.sandboxId).not.toBe(first.sandboxId);
    expect(provider.created[1]).toMatchObject({ snapshot: "snapshot-1" });
    expect(provider.calls.slice(commandsBefore)).toEqual([]);
  });

  it("is reported as lost if there is no snapshot", async () => {
    await expect(manager().reopen(spec, { ...session, sandboxId: "sbx-gone" })).rejects.toThrow(
      "resume: its sandbox is gone, and there is no snapshot of it",
    );
  });
});

describe("the checked out branch", () => {
  const runtime = fileURLToPath(new URL("../../support/checking-out-runtime.ts", import.meta.url));
  const started = async (own: Partial<SandboxSpec>, printed: string) => {
    const provider = new RecordingProvider();
    provider.answer = (argv) => ({ stdout: argv.includes("--show-current") ? "feature/x\n" : printed });
    const manager = sandboxManager({ installation: "0123456789ab", provider: async () => provider });
    const sandbox = await manager.start({ ...spec, ...own }, session);
    const asked = () => provider.calls.filter(({ argv }) => argv.includes("--show-current")).length;
    return { sandbox, asked };
  };

  it("is not asked for where nothing can have changed it", async () => {
    const { sandbox, asked } = await started({}, "on");
    expect(await sandbox.currentBranch()).toBe("main");
    expect(await sandbox.prompt("hello")).toContain("branch=main");
    expect(asked()).toBe(0);
  });

  it("is asked for once the runtime has run a program, and after each prompt", async () => {
    const { sandbox, asked } = await started({ runtime }, "on");
    await sandbox.prompt("hello");
    expect(await sandbox.currentBranch()).toBe("feature/x");
    expect(await sandbox.prompt("hello")).toBe("feature/x");
    expect(asked()).toBe(2);
  });

  it.each(["\u001b[2Jmain", "a\nb", `${"x".repeat(300)}`, "--help", ""])(
    "is HEAD if the sandbox's git prints %j, which is not the name of a branch",
    async (printed) => {
      const provider = new RecordingProvider();
      provider.answer = (argv) => ({ stdout: argv.includes("--show-current") ? `${printed}\n` : "" });
      const manager = sandboxManager({ installation: "0123456789ab", provider: async () => provider });
      expect(await (await manager.start(spec, session)).currentBranch()).toBe("HEAD");
    },
  );

  it("is asked for if what was cloned is a tag", async () => {
    const { sandbox } = await started({}, "");
    expect(await sandbox.currentBranch()).toBe("feature/x");
  });
});

describe("a prompt", () => {
  it("reaches the stub with the context of the specification", async () => {
    const provider = new RecordingProvider();
    provider.answer = (argv) => (argv.includes("--show-current") ? { stdout: "feature/x\n" } : {});
    const manager = sandboxManager({ installation: "0123456789ab", provider: async () => provider });
    const sandbox = await manager.start(spec, session);
    expect(await sandbox.prompt("List files in repository")).toBe(
      "[STUB RESPONSE]\nReceived prompt: List files in repository\nContext: repo=me/app, branch=feature/x\nWould execute task here once real agent runtime is plugged in.",
    );
  });
});
