import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSessions } from "../../components/sandbox/sessions/client.ts";
import { sessionsFolder } from "../../components/sandbox/sessions/folder.ts";
import { sessionsState } from "../../components/sandbox/sessions/state.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { filesHolding } from "../support/files-holding.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { Repository } from "../support/repository.ts";
import { runScript } from "../support/run-script.ts";

/** A runtime as a person writes one: it does what the prompt says, as a shell script in the sandbox. */
const shellRuntime = `export default () => {
  let config;
  return {
    async initialize(given) { config = given; },
    async execute(prompt, context, { signal, onEvent, timeoutSeconds = 60 } = {}) {
      const end = await config.sandbox.exec(["sh", "-c", prompt], {
        cwd: config.repoPath, env: config.env, signal, timeoutSeconds,
        onOutput: (text, stream) => stream === "stdout" && onEvent?.({ type: "text", text }),
      });
      return end.stdout;
    },
    async terminate() {},
  };
};
`;
const patience = { timeout: 60_000, interval: 500 };

describe("changeling sandbox on Modal", { timeout: 300_000 }, () => {
  let emulator: Emulator;
  let repository: Repository;
  let stack: TestStack;
  let service: NodeJS.ProcessEnv;

  const sandbox = (...args: string[]) => runScript("changeling", ["sandbox", ...args], service);
  async function answerOf(...args: string[]) {
    const { code, stdout, stderr } = await sandbox(...args, "--json");
    expect(code, stdout + stderr).toBe(0);
    return JSON.parse(stdout);
  }
  const live = async () => (await emulator.control.state()).sandboxes.filter(({ status }) => status === "RUNNING");

  beforeAll(async () => {
    emulator = await startEmulator();
    repository = new Repository();
    repository.commit({ "README.md": "hello\n" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
    stack = makeTestStack(emulator.env);
    writeFileSync(join(stack.home, "shell.mjs"), shellRuntime);
    stack.declare(`[defaults]\nrepo = "${repository.folder}"\nprovider = "modal"\n
[changelings.example]\nkind = "sandbox"\nsnapshot_max_age = "1d"\n
[changelings.shell]\nkind = "sandbox"\nruntime = "${stack.home}/shell.mjs"\n`);
    const { code, stdout, stderr } = await stack.up();
    expect(code, stdout + stderr).toBe(0);
    // The token was in the environment of \`up\` alone, as in a pipeline.
    service = { ...stack.env, MODAL_TOKEN_ID: "", MODAL_TOKEN_SECRET: "" };
  }, 300_000);
  afterAll(async () => {
    await stack?.remove();
    repository?.[Symbol.dispose]();
    await emulator?.stop();
  }, 120_000);

  test("a second preview shows no change", async () => {
    expect(await stack.preview()).toEqual({});
  });

  test("a session of the stub starts from the warm snapshot, and answers to the letter", async () => {
    expect(await live()).toEqual([]);
    await answerOf("start", "example");
    expect((await sandbox("send", "example", "List files in repository")).stdout).toBe(
      "[STUB RESPONSE]\nReceived prompt: List files in repository\nContext: repo=local/repo, branch=main\nWould execute task here once real agent runtime is plugged in.\n",
    );
    const [one] = await live();
    expect(one).toMatchObject({
      app: expect.stringMatching(/^changelings_[0-9a-f]{12}_sandboxes$/),
      // A quarter of an hour more than `timeout_seconds`, in which the service saves what it did.
      timeout_secs: 3600 + 900,
    });
    expect(one?.tags).toMatchObject({ changeling: "example" });
    await answerOf("stop", "example");
    await expect.poll(live, patience).toEqual([]);
  });

  test("a session remembers what the one before it wrote", async () => {
    await answerOf("start", "shell");
    await sandbox("send", "shell", 'echo \'{"type":"entity"}\' >> /root/.mcp-memory/memory.jsonl');
    await answerOf("stop", "shell");
    await answerOf("start", "shell");
    expect((await sandbox("send", "shell", "tail -n 1 /root/.mcp-memory/memory.jsonl; cat README.md")).stdout).toBe(
      '{"type":"entity"}\nhello\n',
    );
  });

  test("a prompt whose service is killed is marked, and what it started has ended before the next one", async () => {
    await answerOf("send", "shell", "echo begun > /tmp/begun; setsid sleep 616 & sleep 616", "--no-wait");
    const { id } = await answerOf("show", "shell");
    await expect.poll(async () => (await live())[0]?.execs.flat().join(" "), patience).toContain("sleep 616");
    const { pid } = sessionsState(stack.paths);
    if (pid === undefined) throw new Error("no service runs");
    process.kill(pid, "SIGKILL");
    const sessions = openSessions({ folder: sessionsFolder(stack.paths), person: "owner" });
    await expect.poll(async () => (await sessions.messages(id)).at(-1)?.state, patience).toBe("interrupted");
    const count = "cat /tmp/begun; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 616'";
    expect((await sandbox("send", "shell", count)).stdout).toBe("begun\n0\n");
  });

  test("the token is in one file, for its owner alone", () => {
    const holding = filesHolding("as-emulator", join(stack.home, ".changelings"));
    expect(holding.map((file) => file.replace(/.*\/sandboxes\//, ""))).toEqual(["modal-token.json"]);
    expect(statSync(holding[0] ?? "").mode & 0o077).toBe(0);
  });

  test("destroyed, it leaves the memory alone", async () => {
    const { code, stdout, stderr } = await stack.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
    expect(code, stdout + stderr).toBe(0);
    expect(await live()).toEqual([]);
    expect((await emulator.control.state()).volumes.map(({ name }) => name)).toEqual(["harvest-memory-local-repo"]);
  });
});
