import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shortened } from "../../components/lib/log-tail.ts";
import { volumeName } from "../../components/modal/names.ts";
import { modalRpc } from "../../components/modal/rpc.ts";
import {
  appFiles,
  baseImage,
  contentCommands,
  dockerfile,
  dockerfileCommands,
} from "../../components/sandbox/image/image.ts";
import { type SandboxManager, sandboxManager } from "../../components/sandbox/manager.ts";
import { type ModalSandboxOptions, modalSandboxes } from "../../components/sandbox/modal/provider.ts";
import { type CreateOptions, type Sandbox, SandboxError, SandboxGone } from "../../components/sandbox/provider.ts";
import type { RunningSandbox } from "../../components/sandbox/running-sandbox.ts";
import type { SandboxSpec } from "../../components/sandbox/spec.ts";
import { describeProvider } from "../contracts/sandbox-provider.ts";
import { testRepository } from "../contracts/sandbox-repository.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { Repository } from "../support/repository.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

const memory = "harvest-memory-acme-site";
const image = { base: baseImage, dockerfileCommands: dockerfileCommands() };
const emulators: Emulator[] = [];
let emulator: Emulator;
let provider: ReturnType<typeof modalSandboxes>;
let imageId: string;
let made = 0;
const buildLog: string[] = [];

beforeAll(async () => {
  emulator = await startEmulator();
  provider = at(emulator.env);
  imageId = await provider.prepareImage({ onProgress: (line) => buildLog.push(line) });
  await provider.ensureVolume(memory);
});

afterAll(async () => {
  for (const each of [emulator, ...emulators]) await each?.stop();
});

function at(env: Readonly<Record<string, string>>, options: Partial<ModalSandboxOptions> = {}) {
  const token = { id: "ak-emulator", secret: "as-emulator" };
  return modalSandboxes({ token, env, installation: "dev", image, ...options });
}

function asked(options: Partial<Omit<CreateOptions, "spec">> & { spec?: Partial<SandboxSpec> } = {}): CreateOptions {
  made += 1;
  const { spec, ...rest } = options;
  return {
    id: `test-${made}`,
    image: imageId,
    volumes: { "/root/.mcp-memory": memory },
    labels: {},
    ...rest,
    spec: sandboxSpec({ provider: "modal", ...spec }),
  };
}

async function started(options: Parameters<typeof asked>[0] = {}) {
  const sandbox = await provider.create(asked(options));
  return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.terminate() });
}

const sh = (sandbox: Sandbox, script: string, options: object = {}) =>
  sandbox.exec(["sh", "-c", script], { timeoutSeconds: 30, ...options });
const state = async (id: string) => (await emulator.control.state()).sandboxes.find(({ name }) => name === id);

describeProvider("modal", async () => ({
  provider,
  spec: sandboxSpec({ provider: "modal" }),
  reopened: () => at(emulator.env),
  end: async () => {},
}));

testRepository({
  async open(port) {
    const reaching = await startEmulator({ sandboxReaches: [port] });
    emulators.push(reaching);
    return { provider: at(reaching.env), spec: { provider: "modal" } };
  },
});

describe("a program", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await provider.create(asked());
  });
  afterAll(() => sandbox?.terminate());

  test("gets its input, folder and environment, and none of this process's", async () => {
    process.env["HOST_SECRET"] = "host-secret";
    const options = { stdin: "K\nin", env: { TOKEN: "t0ken" }, cwd: "/workspace" };
    const { code, stdout, stderr } = await sh(sandbox, "pwd; cat; echo; env; echo oops >&2; exit 3", options);
    delete process.env["HOST_SECRET"];
    expect({ code, stderr }).toEqual({ code: 3, stderr: "oops\n" });
    expect(stdout).toMatch(/^\/workspace\nK\nin\n/);
    expect(stdout).toContain("\nTOKEN=t0ken\n");
    expect(stdout).toContain("\nHOME=/root\n");
    expect(stdout).toContain("\nIS_SANDBOX=1\n");
    expect(stdout).not.toContain("host-secret");
    const state = JSON.stringify(await emulator.control.state());
    expect(state).not.toContain("t0ken");
  });

  test.each([
    ["its timeout", 124, () => ({ timeoutSeconds: 1 })],
    ["the signal", 130, () => ({ signal: AbortSignal.timeout(1500) })],
  ])("ends by %s, with all that it has started", async (_, code, options) => {
    const script = "setsid sh -c 'sleep 617 & wait' & echo said; sleep 617";
    expect(await sh(sandbox, script, options())).toEqual({ code, stdout: "said\n", stderr: "" });
    expect((await sh(sandbox, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 617'")).stdout).toBe("0\n");
  });

  test("does not start after an abort", async () => {
    const end = await sh(sandbox, "touch /tmp/began", { signal: AbortSignal.abort() });
    expect(end).toEqual({ code: 130, stdout: "", stderr: "" });
    expect(await sh(sandbox, "test -e /tmp/began")).toMatchObject({ code: 1 });
  });
});

test("a sandbox is as it was declared", async () => {
  await using sandbox = await started({
    labels: { session: "s-1", changeling: "site" },
    spec: { timeoutSeconds: 7200, cpu: 1.5, memoryGb: 2, allowDomains: ["github.com", "*.npmjs.org:443", "10.1.2.3"] },
  });
  expect(await state(sandbox.id)).toMatchObject({
    app: "changelings_dev_sandboxes",
    timeout_secs: 7200,
    milli_cpu: 1500,
    milli_cpu_max: 1500,
    memory_mb: 2048,
    memory_mb_max: 2048,
    network: { type: "ALLOWLIST", domains: ["github.com", "*.npmjs.org"], cidrs: ["10.1.2.3/32"] },
    tags: { session: "s-1", changeling: "site" },
  });
});

test("an installation without sandboxes lists none", async () => {
  const other = at(emulator.env, { installation: "other" });
  expect(await other.list({})).toEqual([]);
  expect(await other.open("test-1")).toBeUndefined();
});

test("memory written just before the end is there in the next sandbox of the repository, and in no other's", async () => {
  const first = await provider.create(asked());
  await sh(first, "echo remembered >/root/.mcp-memory/memory.jsonl");
  await first.terminate();
  expect((await state(first.id))?.execs.at(-1)?.slice(-2)).toEqual(["sh", "/root/.mcp-memory"]);
  await using second = await started();
  expect((await sh(second, "cat /root/.mcp-memory/memory.jsonl")).stdout).toBe("remembered\n");
  await provider.ensureVolume("harvest-memory-acme-other");
  await using third = await started({ volumes: { "/root/.mcp-memory": "harvest-memory-acme-other" } });
  expect((await sh(third, "ls /root/.mcp-memory")).stdout).toBe("");
});

test("a volume is made once", async () => {
  expect(await provider.ensureVolume("harvest-memory-once-only")).toBe(true);
  expect(await provider.ensureVolume("harvest-memory-once-only")).toBe(false);
  const long = `harvest-memory-${"o".repeat(39)}-${"r".repeat(100)}`;
  expect(await provider.ensureVolume(long)).toBe(true);
  expect(await provider.ensureVolume(`${long}2`)).toBe(true);
});

test("a sandbox is opened again by its id, and what a dead service left running in it ends", async () => {
  const sandbox = await provider.create(asked());
  const left = sh(sandbox, "echo $$ >/tmp/left; sleep 618", { timeoutSeconds: 60 });
  await expect.poll(async () => (await sh(sandbox, "cat /tmp/left")).code).toBe(0);
  const opened = await at(emulator.env).open(sandbox.id);
  expect(await left).toMatchObject({ code: 130 });
  expect(await opened?.exec(["true"], { timeoutSeconds: 10 })).toMatchObject({ code: 0 });
  await opened?.terminate();
  expect(await provider.open(sandbox.id)).toBeUndefined();
});

test("an ended sandbox is gone, and ends again without an error", async () => {
  const sandbox = await provider.create(asked());
  const other = await provider.open(sandbox.id);
  const running = sh(sandbox, "echo here; sleep 619", { timeoutSeconds: 100 });
  running.catch(() => {});
  await sleep(500);
  await other?.terminate();
  await expect(running).rejects.toThrow(SandboxGone);
  await expect(sh(sandbox, "true")).rejects.toThrow(SandboxGone);
  await expect(sandbox.snapshot()).rejects.toThrow(SandboxGone);
  await sandbox.terminate();
  await other?.terminate();
  expect((await state(sandbox.id))?.status).toBe("GENERIC_STATUS_TERMINATED");
});

test("Modal ends a sandbox whose time is over", async () => {
  const sandbox = await provider.create(asked({ spec: { timeoutSeconds: 2 } }));
  await expect(sh(sandbox, "sleep 620")).rejects.toThrow(SandboxGone);
  expect(await provider.open(sandbox.id)).toBeUndefined();
});

describe("a sandbox that can't be made", () => {
  const running = async (id: string) => (await state(id))?.status === "RUNNING";

  test("leaves nothing behind if it is cancelled while Modal makes it", async () => {
    await emulator.control.setFaults([{ method: "SandboxCreateV2" }]);
    const abort = new AbortController();
    const options = asked({ signal: abort.signal });
    const creating = provider.create(options);
    creating.catch(() => {});
    await emulator.control.faultsCame();
    abort.abort();
    await expect(creating).rejects.toThrow("create: cancelled");
    await emulator.control.setFaults([]);
    await expect.poll(async () => (await state(options.id))?.status).toBe("GENERIC_STATUS_TERMINATED");
  });

  test("does not end another one of the same name", async () => {
    await using sandbox = await started();
    await expect(provider.create(asked({ id: sandbox.id }))).rejects.toThrow(/already exists/);
    expect(await running(sandbox.id)).toBe(true);
  });

  test.each([
    ["RESOURCE_EXHAUSTED", /^create: .*limits at https:\/\/modal.com\/settings/],
    ["UNAUTHENTICATED", /^create: .*modal token new/],
    ["UNAVAILABLE", /^create: .*check the network/],
  ])("because of %s says what to do", async (status, message) => {
    await emulator.control.setFaults([{ method: "SandboxCreateV2", status, message: "no", times: 10 }]);
    const failed = provider.create(asked());
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toBeInstanceOf(SandboxError);
    await emulator.control.setFaults([]);
  });

  test.each<[Partial<SandboxSpec>, RegExp]>([
    [{ timeoutSeconds: 90_000 }, /set timeout_seconds to 86400/],
    [{ allowDomains: ["a.org:22", "b.org", "c.org:8080"] }, /a\.org:22, c\.org:8080; write the host alone/],
  ])("because of %j says what to do", async (spec, message) => {
    await expect(provider.create(asked({ spec }))).rejects.toThrow(message);
  });

  test("without a token or a server says what to do", async () => {
    const none = at(emulator.env, { token: undefined });
    await expect(none.create(asked())).rejects.toThrow(/^create: no Modal token is set; get one/);
    await expect(none.list({})).rejects.toThrow(/^list: no Modal token/);
    const wrong = at(emulator.env, { token: { id: "other", secret: "wrong" } });
    await expect(wrong.create(asked())).rejects.toThrow(/^create: .*modal token new/);
    const away = at({ ...emulator.env, MODAL_SERVER_URL: "http://127.0.0.1:9" });
    await expect(away.ensureVolume("v")).rejects.toThrow(/^volume: .*check the network/);
  });
});

test("a failing build reports the end of its log", async () => {
  const lines: string[] = [];
  const broken = { base: "debian:bookworm-slim", dockerfileCommands: ["RUN echo before; echo wrong >&2; exit 7"] };
  const failing = at(emulator.env, { image: broken });
  await expect(failing.prepareImage({ onProgress: (line) => lines.push(line) })).rejects.toThrow(
    /^image: [\s\S]*wrong/,
  );
  expect(lines).toContain("before");
});

describe("over a network, where each request takes as long as many programs", () => {
  const exec = ["TaskExecStart", "TaskExecStdinWrite", "TaskExecStdioRead", "TaskExecStdioRead", "TaskExecWait"];
  let server: GitServer;
  let reaching: Emulator;
  let own: ReturnType<typeof modalSandboxes>;
  let manager: SandboxManager;
  let spec: SandboxSpec;
  const session = { sessionId: "counted", secrets: {} };
  const requests = async (work: () => Promise<unknown>) => {
    const before = (await reaching.control.rpcs()).length;
    await work();
    return (await reaching.control.rpcs(before)).map(({ method }) => method).sort();
  };
  const answered = async (sandbox: Promise<RunningSandbox>) => {
    const running = await sandbox;
    await running.currentBranch();
    await running.prompt("List files in repository");
    return running;
  };

  beforeAll(async () => {
    server = await startGitServer();
    using repository = new Repository();
    repository.commit({ "README.md": "hello" }, { author: "Ada", at: "2026-01-01T00:00:00Z" });
    server.create("site", repository.folder);
    reaching = await startEmulator({ sandboxReaches: [server.port] });
    emulators.push(reaching);
    own = at(reaching.env, { image: { base: baseImage, dockerfileCommands: contentCommands() } });
    manager = sandboxManager({ installation: "dev", provider: async () => own });
    spec = sandboxSpec({ provider: "modal", url: server.url("site") });
    await (await manager.start(spec, session)).terminate();
  });
  afterAll(() => server?.stop());

  test("a start takes one to make the sandbox and one program, up to the first answer", async () => {
    let running: RunningSandbox | undefined;
    const cold = await requests(async () => {
      running = await answered(manager.start(spec, session));
    });
    expect(cold).toEqual(["SandboxCreateV2", ...exec]);
    await running?.terminate();
    const warmSnapshot = await manager.warm(spec, { secrets: {} });
    // Its id is new.
    await (await manager.start(spec, { ...session, warmSnapshot })).terminate();
    const warm = await requests(async () => {
      running = await answered(manager.start(spec, { ...session, warmSnapshot }));
    });
    expect(warm).toEqual(["SandboxCreateV2", ...exec]);
    await running?.terminate();
  });

  test("a session that continues takes five, or makes its sandbox from the snapshot", async () => {
    const first = await manager.start(spec, session);
    const { sandboxId } = first;
    const reopened = await requests(() => manager.reopen(spec, { ...session, sandboxId }));
    expect(reopened).toEqual(
      [
        "SandboxGetFromNameV2",
        "SandboxGetTaskIdV2",
        "SandboxGetCommandRouterAccess",
        "TaskExecStart",
        "TaskExecWait",
      ].sort(),
    );
    const snapshot = await first.snapshot();
    await first.terminate();
    let again: RunningSandbox | undefined;
    const restored = await requests(async () => {
      again = await manager.reopen(spec, { ...session, sandboxId, snapshot });
    });
    expect(restored).toEqual(["ImageFromId", "SandboxCreateV2", "SandboxGetFromName", "SandboxGetFromNameV2"]);
    await again?.terminate();
  });

  test("a volume that somebody removed meanwhile is made again", async () => {
    const { ask } = modalRpc({ token: { id: "ak-emulator", secret: "as-emulator" }, env: reaching.env });
    await ask("the removal of a volume", ({ volumes }) => volumes.delete(volumeName(memory)));
    await (await manager.start(spec, session)).terminate();
  });
});

test("the image has the files of the definition, and is built once", async () => {
  await using sandbox = await started();
  expect((await sh(sandbox, "cat /app/AGENTS.md")).stdout).toBe(appFiles().get("AGENTS.md"));
  const before = (await emulator.control.state()).images.length;
  expect(await at(emulator.env).prepareImage({})).toBe(imageId);
  expect((await emulator.control.state()).images).toHaveLength(before);
});

test("Modal is given the commands that Docker is given, in the same order", () => {
  const steps = buildLog.filter((line) => line.startsWith("=> Step "));
  const commands = dockerfile().trimEnd().split("\n");
  expect(steps).toEqual(commands.map((command, number) => shortened(`=> Step ${number}: ${command}`)));
});
