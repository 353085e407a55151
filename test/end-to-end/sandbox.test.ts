import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { localPaths } from "../../components/sandbox/local/paths.ts";
import { openSessions } from "../../components/sandbox/sessions/client.ts";
import { sessionsFolder } from "../../components/sandbox/sessions/folder.ts";
import { sessionsState } from "../../components/sandbox/sessions/state.ts";
import { devFolder, ensureDevStack } from "../../scripts/stack/dev-stack.ts";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { installationOf, pulumi, type Stack } from "../../scripts/stack/stack.ts";
import { endTmuxServer, hermeticEnvironment } from "../engine/test-stack.ts";
import { filesHolding } from "../support/files-holding.ts";
import { changelingInProcess } from "../support/run-in-process.ts";
import { type Program, runScript } from "../support/run-script.ts";

const secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

let home: string;
let env: NodeJS.ProcessEnv;
let repo: string;
let stack: Stack;
let pagePort: number;

const run = (script: Program, ...args: string[]) => runScript(script, args, env);
const changeling = (...args: string[]) => changelingInProcess(args, env);
const sandbox = (...args: string[]) => changeling("sandbox", ...args);

async function answerOf(...args: string[]) {
  const { code, stdout, stderr } = await sandbox(...args, "--json");
  expect(code, stdout + stderr).toBe(0);
  return JSON.parse(stdout);
}

/** Asks the service as `sandbox show` does, without its process: for polls. */
async function shown(changeling: string) {
  const client = openSessions({ folder: sessionsFolder(installationPaths(installationOf(stack), home)), person: "me" });
  const [newest] = await client.list({ changeling });
  return await client.show(newest?.id ?? "");
}

const git = (...args: string[]) => execFileSync("git", args, { cwd: repo, env, encoding: "utf8" }).trim();

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

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "sandbox-cli-"));
  env = { ...hermeticEnvironment(home), GITHUB_TOKEN: secret, CHANGELINGS_CACHE: cacheFolder() };
  stack = ensureDevStack(home, env);
  repo = join(home, "app");
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", repo], { env });
  writeFileSync(join(repo, "README.md"), "hello\n");
  git("add", "--all");
  git("-c", "user.name=Me", "-c", "user.email=me@example.com", "commit", "--quiet", "--message=First");
  writeFileSync(join(home, "shell.mjs"), shellRuntime);
  // Below the ports that the system gives to programs which ask for any.
  pagePort = 20_000 + (process.pid % 10_000);
  const fleet = `[sandboxes]\nport = ${pagePort}\n
[defaults]\nrepo = "${repo}"\n
[changelings.example]\nkind = "sandbox"\n
[changelings.shell]\nkind = "sandbox"\nruntime = "${home}/shell.mjs"\nuser_name = "Test User"\nuser_email = "test@example.com"\n
[changelings.sleepy]\nkind = "sandbox"\nruntime = "${home}/shell.mjs"\nsleep_after_seconds = 1\n`;
  writeFileSync(join(devFolder(home), "fleet.toml"), fleet, { mode: 0o600 });
  const applied = await pulumi(stack, ["up", "--yes", "--skip-preview", "--non-interactive"], { capture: true, env });
  expect(applied.code, applied.stdout + applied.stderr).toBe(0);
});
let isRemoved = false;
afterAll(async () => {
  if (!isRemoved) await run("stop");
  endTmuxServer(env);
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

describe("changeling sandbox, on this machine", () => {
  it("starts a session with the stub, which answers to the letter of the specification", async () => {
    const started = await run("changeling", "sandbox", "start", "example");
    expect(started.code, started.stderr).toBe(0);
    expect(started.stdout).toMatch(/^session [0-9a-f]{20} of example is ready on branch main\n/);
    const { code, stdout } = await run("changeling", "sandbox", "send", "example", "List files in repository");
    expect(code).toBe(0);
    expect(stdout).toBe(
      "[STUB RESPONSE]\nReceived prompt: List files in repository\nContext: repo=local/app, branch=main\nWould execute task here once real agent runtime is plugged in.\n",
    );
  });

  it("works as the person, with the suffix, on the branch, with the memory mounted and seeded", async () => {
    await answerOf("start", "shell");
    const script =
      "git config user.name; git branch --show-current; pwd; ls -a /root/.mcp-memory; ls /app /app/docs/ai";
    const { stdout } = await sandbox("send", "shell", script);
    expect(stdout).toMatch(/^Test User \(Harvest\)\nmain\n\/workspace\/app\n/);
    for (const name of ["memory.jsonl", "AGENTS.md", "memory-seed.json", "git.md"]) expect(stdout).toContain(name);
  });

  it("shows the work, and brings the commits into a branch of the person's repository", async () => {
    const work =
      "echo world >> README.md; git commit -qam 'Greet the world'; echo more > draft.txt; git push -q origin main && git fetch -q origin && echo pushed";
    expect((await sandbox("send", "shell", work)).stdout).toBe("pushed\n");
    const { stdout: diff } = await sandbox("diff", "shell");
    expect(diff).toContain("+world");
    expect(diff).toContain("+more");
    const pulled = await answerOf("pull", "shell", "--branch", "harvested");
    expect(pulled).toMatchObject({ folder: repo, branch: "harvested", commits: 1 });
    expect(git("log", "--format=%an <%ae> %s", "-1", "harvested")).toBe(
      "Test User (Harvest) <test@example.com> Greet the world",
    );
    expect(git("show", "harvested:README.md")).toBe("hello\nworld");
    expect(git("branch", "--show-current")).toBe("main");
  });

  it("remembers across sandboxes of one repository", async () => {
    await sandbox("send", "shell", 'echo \'{"type":"entity"}\' >> /root/.mcp-memory/memory.jsonl');
    await answerOf("stop", "shell");
    await answerOf("start", "shell");
    const { stdout } = await sandbox("send", "shell", "tail -n 1 /root/.mcp-memory/memory.jsonl; git log --format=%s");
    expect(stdout).toBe('{"type":"entity"}\nFirst\n');
  });

  it("cancels a prompt, not the sandbox, and executes the next", async () => {
    const { message } = await answerOf("send", "shell", "echo begun; sleep 600", "--no-wait");
    await expect.poll(async () => (await shown("shell")).queue).toMatchObject([{ state: "processing" }]);
    expect(await answerOf("cancel", "shell")).toEqual({ cancelled: true });
    await expect.poll(async () => (await shown("shell")).queue).toEqual([]);
    const { id } = await shown("shell");
    expect(await answerOf("show", id)).toMatchObject({ id, queue: [] });
    expect((await sandbox("send", "shell", "echo next")).stdout).toBe("next\n");
    expect(message).toBeGreaterThan(0);
  });

  it("pauses and resumes", async () => {
    expect(await answerOf("pause", "shell")).toMatchObject({ status: "paused" });
    await answerOf("send", "shell", "echo later > /tmp/later", "--no-wait");
    expect(await answerOf("show", "shell")).toMatchObject({ queue: [{ state: "queued" }] });
    expect(await answerOf("resume", "shell")).toMatchObject({ status: "running" });
    await expect.poll(async () => (await shown("shell")).queue).toEqual([]);
    expect((await sandbox("send", "shell", "cat /tmp/later")).stdout).toBe("later\n");
  });

  it("saves an idle sandbox and ends it, and answers the next prompt as if it had not slept", async () => {
    const { id } = await answerOf("start", "sleepy");
    const own = (folder: "sandboxes" | "snapshots") =>
      readdirSync(localPaths(installationPaths(installationOf(stack), home).sandboxes)[folder]).filter((name) =>
        name.includes(id),
      );
    expect((await sandbox("send", "sleepy", "echo 'not committed' > draft.txt; echo made")).stdout).toBe("made\n");
    await expect.poll(() => shown("sleepy"), { timeout: 60_000 }).toMatchObject({ isAsleep: true });
    expect((await sandbox("show", "sleepy")).stdout).toContain("its sandbox sleeps, and the next prompt wakes it up");
    await expect.poll(() => [own("sandboxes"), own("snapshots").length]).toEqual([[], 1]);
    expect(await answerOf("list", "sleepy")).toMatchObject([{ id, status: "running", isAsleep: true }]);
    expect((await sandbox("list", "sleepy")).stdout).toMatch(/ STATUS +STARTED .*\n.* sleepy +asleep /);
    const answered = await sandbox("send", "sleepy", "cat draft.txt; git status --short");
    expect([answered.code, answered.stdout]).toEqual([0, "not committed\n?? draft.txt\n"]);
    await answerOf("stop", "sleepy");
    await expect.poll(() => [own("sandboxes"), own("snapshots")]).toEqual([[], []]);
  });

  it("shows the agent nothing of this machine but what is declared", async () => {
    writeFileSync(join(home, "private.txt"), "canary");
    const { stdout } = await sandbox(
      "send",
      "shell",
      `cat ${home}/private.txt ${repo}/README.md; ls ${home} /home; ps -e | wc -l`,
    );
    expect(stdout).not.toContain("canary");
    expect(stdout).not.toContain("hello");
  });

  it("has a page, whose URLs let a person and a guest in, and which no sandbox reaches", async () => {
    const { session, url } = await answerOf("login-url", "shell", "--as", "Mira");
    const { origin, pathname, hash } = new URL(url);
    expect([origin, pathname]).toEqual([`http://127.0.0.1:${pagePort}`, `/sessions/${session}`]);
    expect(await (await fetch(url)).text()).toContain('<script type="module" src="/app.js">');
    const code = new URLSearchParams(hash.slice(1)).get("code");
    const login = await fetch(`${origin}/api/login`, { method: "POST", body: JSON.stringify({ code }) });
    const { token } = z.object({ token: z.string() }).parse(await login.json());
    const as = async (bearer: string) =>
      (await fetch(`${origin}/api${pathname}`, { headers: { authorization: `Bearer ${bearer}` } })).json();
    expect(await as(token)).toMatchObject({ id: session, you: { name: "Mira", role: "owner" } });
    const invited = await answerOf("invite", "shell", "Jonas");
    expect(invited.url).toBe(`${origin}${pathname}#token=${invited.token}`);
    expect(await as(invited.token)).toMatchObject({ you: { name: "Jonas", role: "guest" } });
    await answerOf("revoke", "shell", "Jonas");
    expect(await as(invited.token)).toMatchObject({ error: { code: "unauthorized" } });
    const { stdout: revoked, stderr } = await changeling("revoke", "--all");
    expect({ revoked, stderr }).toEqual({
      revoked: "All logins are ended. New login URLs: changeling sandbox login-url\n",
      stderr: "",
    });
    expect(await as(token)).toMatchObject({ error: { code: "unauthorized" } });
    const reach = `node -e 'fetch("${origin}/").then(() => console.log("reached"), () => console.log("refused"))'`;
    expect((await sandbox("send", "shell", reach)).stdout).toBe("refused\n");
  });

  it("is listed with its sessions", async () => {
    const { stdout } = await changeling("list");
    expect(stdout).toMatch(/NAME +REPOSITORY +RUNTIME +SESSIONS\nexample +local\/app +stub +1, newest running/);
    const sessions = await answerOf("list");
    expect(sessions.map(({ changeling }: { changeling: string }) => changeling).sort()).toEqual(["example", "shell"]);
  });

  it("is checked by doctor", async () => {
    const checks = async () => {
      const { stdout } = await changeling("doctor", "--json");
      const all: { name: string; status: string }[] = JSON.parse(stdout);
      return Object.fromEntries(all.map(({ name, status }) => [name, status]));
    };
    expect(await checks()).toMatchObject({ "session service": "ok", "sandboxes on local": "ok" });
    expect((await sandbox("clean")).stdout).toBe("There are none.\n");
  });

  it("survives a kill of the service: nothing is lost, and the next prompt is executed", async () => {
    const { pid } = sessionsState(installationPaths(installationOf(stack), home));
    // Without an id, 0 would be this process's group.
    expect(pid).toBeGreaterThan(1);
    process.kill(pid ?? Number.NaN, "SIGKILL");
    expect((await sandbox("send", "shell", "cat /tmp/later")).stdout).toBe("later\n");
    const { people, messages } = await answerOf("show", "shell");
    expect(messages).toBeGreaterThan(4);
    expect(people).toBeDefined();
  });

  it.each([
    [["start", "exmaple"], 1, 'no sandbox "exmaple" is deployed on this stack; did you mean example?'],
    [["send", "example", " "], 1, "the prompt is empty"],
    [["send", "example"], 2, "missing required argument 'prompt'"],
    [["pull", "example", "--branch", "..", "--into", "."], 1, "is not a valid branch name"],
    [["start", "example", "--max-cost", "-1"], 2, "It must be a number above 0."],
  ])("refuses %j with exit code %d", async (args, code, message) => {
    const ended = await sandbox(...args);
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
  });

  it("keeps the secret out of every file but those that may hold it", () => {
    const root = join(home, ".changelings");
    const encoded = [secret, Buffer.from(secret).toString("base64").replace(/=+$/, "")];
    const holding = encoded.flatMap((text) => filesHolding(text, root));
    expect(holding).not.toEqual([]);
    for (const file of holding) {
      expect(file).toMatch(/\/secrets\//);
      expect(statSync(file).mode & 0o077).toBe(0);
    }
  });

  it("is removed with the stack, except for the repository's memory, which goes with --data", async () => {
    const stopped = await run("stop");
    expect(stopped.code, stopped.stderr).toBe(0);
    const [, memory = ""] = /^Kept: (.*harvest-memory-local-app)$/m.exec(stopped.stdout) ?? [];
    expect(readFileSync(join(memory, "memory.jsonl"), "utf8")).toContain("entity");
    expect(filesHolding("", join(dirname(memory), "..")).every((file) => file.startsWith(memory))).toBe(true);
    expect((await run("stop", "--data")).code).toBe(0);
    expect(filesHolding("", join(home, ".changelings"))).toEqual([]);
    isRemoved = true;
  });
});
