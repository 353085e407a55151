import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { runProgram } from "../../components/lib/process.ts";
import { modalClient } from "../../components/modal/client.ts";
import { baseImage, dockerfileCommands } from "../../components/sandbox/image/image.ts";
import { sandboxManager } from "../../components/sandbox/manager.ts";
import { modalSandboxes } from "../../components/sandbox/modal/provider.ts";
import type { SandboxProvider } from "../../components/sandbox/provider.ts";
import type { RunningSandbox } from "../../components/sandbox/running-sandbox.ts";
import { memoryPath, repoPath, type SandboxSpec } from "../../components/sandbox/spec.ts";
import type { JourneyOptions } from "./modal-journey.ts";
import { removeModalEnvironment } from "./remove-modal-environment.ts";
import { sandboxSpec } from "./sandbox-spec.ts";

export interface SandboxJourneyOptions extends JourneyOptions {
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The life of coding sandboxes on Modal, in its own environment: the base image, the stub, the memory, a snapshot. The
 * environment is removed at the end, even after a failure.
 *
 * @throws an error that describes what was wrong, or could not be removed
 */
export async function sandboxJourney(options: SandboxJourneyOptions): Promise<void> {
  const { token, env, say } = options;
  const environment = `changelings-sandbox-test-${randomUUID().slice(0, 8)}`;
  const image = { base: baseImage, dockerfileCommands: dockerfileCommands() };
  const provider = modalSandboxes({ installation: "test", environment, image, token, env });
  await modalClient({ token, env }).createEnvironment(environment);
  say(`sandboxes are in the Modal environment ${environment}`);
  try {
    await steps(provider, options);
  } finally {
    for (const { id } of await provider.list({})) await (await provider.open(id))?.terminate();
    await removeModalEnvironment(environment, token, env);
    say(`the environment ${environment} is removed`);
  }
}

async function steps(provider: SandboxProvider, { repo, env, say, signal }: SandboxJourneyOptions): Promise<void> {
  const spec = await specOf(repo);
  const manager = sandboxManager({ installation: "test", provider: async () => provider });
  const start = () => manager.start(spec, { sessionId: randomUUID().slice(0, 8), secrets: {}, signal });
  const inside = async ({ sandboxId }: RunningSandbox, ...argv: readonly string[]) => {
    const sandbox = await provider.open(sandboxId);
    ok(sandbox, `${sandboxId} is gone`);
    const { code, stdout, stderr } = await sandbox.exec(argv, { timeoutSeconds: 600, cwd: repoPath(spec) });
    strictEqual(code, 0, stdout + stderr);
    return stdout;
  };
  const step = async (name: string, work: () => Promise<void>) => {
    const began = Date.now();
    signal?.throwIfAborted();
    await work();
    say(`${name}: ${Math.round((Date.now() - began) / 1000)} s`);
  };

  await step("the image is built", async () => {
    match(await provider.prepareImage({ signal }), /^im-/);
  });
  const first = await start();
  if (isEmulator(env)) say("the image's own check is left out: an emulator installs nothing");
  else
    await step("the image's own check passes", async () => {
      await inside(first, "node", "/app/verify.mjs");
    });
  await step("the stub answers, with the person's identity and the declared branch", async () => {
    match(
      await first.prompt("List files in repository"),
      /^\[STUB RESPONSE\]\nReceived prompt: List files in repository\n/,
    );
    strictEqual(await inside(first, "git", "config", "user.name"), `${spec.userName} (Harvest)\n`);
    strictEqual(await first.currentBranch(), spec.branch);
  });
  let snapshot = "";
  await step("a snapshot is taken, and the sandbox ends", async () => {
    await inside(first, "sh", "-c", `echo kept > kept; echo '{}' >> ${memoryPath}`);
    snapshot = await first.snapshot();
    await first.terminate();
    strictEqual(await provider.open(first.sandboxId), undefined);
  });
  await step("another sandbox has the repository's memory, but not the first one's files", async () => {
    const second = await start();
    match(await inside(second, "cat", memoryPath), /\n\{\}\n$/);
    strictEqual(await inside(second, "git", "status", "--porcelain"), "");
    await second.terminate();
  });
  await step("the first one continues from its snapshot", async () => {
    const options = { sessionId: "again", secrets: {}, sandboxId: first.sandboxId, snapshot, signal };
    const again = await manager.reopen(spec, options);
    strictEqual(await inside(again, "cat", "kept"), "kept\n");
    await again.terminate();
    await provider.removeSnapshot(snapshot);
    deepStrictEqual(await provider.list({}), []);
  });
}

async function specOf(url: string): Promise<SandboxSpec> {
  const [repo = "repo", owner = "owner"] = new URL(url).pathname
    .replace(/\.git$/, "")
    .split("/")
    .reverse();
  const { stdout } = await runProgram("git", ["ls-remote", "--symref", "--", url, "HEAD"], {
    env: { PATH: `${process.env["PATH"]}`, GIT_TERMINAL_PROMPT: "0" },
    timeoutSeconds: 60,
  });
  const [, branch] = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(stdout) ?? [];
  ok(branch, `${url} can't be read, or has no branch`);
  return sandboxSpec({ provider: "modal", url, owner: owner || "owner", repo, branch, timeoutSeconds: 1800 });
}

function isEmulator(env: NodeJS.ProcessEnv): boolean {
  return /^http:\/\/(127\.|localhost)/.test(env["MODAL_SERVER_URL"] ?? "");
}
