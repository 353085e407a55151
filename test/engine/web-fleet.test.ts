import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { readRecord } from "../../components/web/agent/record.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import { freePort } from "../support/free-port.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const outputs = z.object({
  changelings: z.record(
    z.string(),
    z.object({
      kind: z.literal("web"),
      provider: z.literal("local"),
      enabled: z.boolean(),
      url: z.string(),
      servers: z.record(z.string(), z.string()),
    }),
  ),
});

describe("a web changeling from its first up to its removal", () => {
  let test: TestStack;
  let source: WebAgentRepo;
  let port: number;
  beforeAll(async () => {
    test = makeTestStack({ MNGR__PROVIDERS__MODAL__IS_ENABLED: "false" });
    source = new WebAgentRepo();
    port = await freePort();
  });
  afterAll(async () => {
    // Also when a test failed, and with it the destroy.
    await stopForwardingServer(installationOf(test.stack), test.home);
    await test.remove({ destroy: ["elena", "elly"].some((name) => readRecord(test.paths, name) !== undefined) });
    source[Symbol.dispose]();
  });

  const forwarding = () => `[forwarding]\nport = ${port}\n`;
  const declare = (name: string, ...more: string[]) => {
    const lines = [
      ...[`[changelings.${name}]`, 'kind = "web"', `source = "file://${source.folder}"`, "start_timeout_seconds = 45"],
      ...['env = { GREETING = "hello $HOME" }', 'settings.chat.model = "mine"', ...more],
    ];
    test.declare(`${forwarding()}${lines.join("\n")}\n`);
  };
  const record = (name = "elena") => {
    const found = readRecord(test.paths, name);
    if (found === undefined) throw new Error(`there is no record of ${name}`);
    return found;
  };
  const inRepo = (...args: string[]) =>
    execFileSync("git", ["-C", record().repo, "-c", "user.name=Elena", "-c", "user.email=e@example.com", ...args], {
      env: test.env,
      encoding: "utf8",
    }).trim();
  const output = (name = "elena") => {
    const found = outputs.parse(test.outputs()).changelings[name];
    if (found === undefined) throw new Error(`there is no output of ${name}`);
    return found;
  };
  const page = async (path = "", name = "elena") => (await fetch(new URL(path, output(name).servers["web"]))).text();
  const succeed = async (...options: string[]) => {
    const args = ["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never", ...options];
    const { code, stdout, stderr } = await test.pulumi(args);
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const mngr = (...args: string[]) => execFileSync("mngr", args, { env: test.env, encoding: "utf8", stdio: "pipe" });
  const agents = () =>
    z
      .object({
        agents: z.array(z.object({ id: z.string(), name: z.string(), state: z.string(), pid: z.nullable(z.number()) })),
      })
      .parse(JSON.parse(mngr("list", "--provider", "local", "--format", "json", "--headless"))).agents;

  it("runs from its source, with its settings, and reports its address", async () => {
    declare("elena");
    await succeed();
    const { agentId, data, repo } = record();
    const { stdout } = await test.pulumi(["stack", "output", "--json"]);
    expect(JSON.parse(stdout).changelings).toEqual({ elena: output() });
    expect(output()).toEqual({
      kind: "web",
      provider: "local",
      enabled: true,
      url: `http://${agentId}.localhost:${port}/`,
      servers: { web: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) },
    });
    expect(await page()).toBe("first\n");
    expect(await page("settings")).toContain('model = "mine"');
    expect(JSON.parse(await page("env"))).toMatchObject({
      CWD: repo,
      GREETING: "hello $HOME",
      CHANGELING_NAME: "elena",
      CHANGELING_DATA: data,
      CHANGELING_MEMORY: join(data, "memory"),
    });
    expect(inRepo("status", "--porcelain")).toBe("");
  });

  it("shows the source's new commit and no other change, and merges it into the agent's commits", async () => {
    const before = source.git("rev-parse", "HEAD");
    inRepo("commit", "--quiet", "--allow-empty", "--message", "The agent's own");
    const own = inRepo("rev-parse", "HEAD");
    const after = source.commitAll("Second", { "page.txt": "second\n" });
    const { stdout } = await test.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"]);
    expect(stdout).toMatch(new RegExp(`COMMIT\\s*: "${before}" => "${after}"`));
    expect(stdout.match(/^ {10}~ \w+/gm)).toEqual(["          ~ COMMIT"]);
    expect(stdout).toMatch(/Resources:\n +~ 1 to update\n +\d+ unchanged\n/);
    await succeed();
    expect(await page()).toBe("second\n");
    expect(inRepo("merge-base", "--is-ancestor", own, "HEAD")).toBe("");
    expect(await test.preview()).toEqual({});
  });

  it("warns if the source can't be read, and shows no change", async () => {
    renameSync(source.folder, `${source.folder}.away`);
    try {
      const { code, stdout, stderr } = await test.pulumi(["preview", "--non-interactive", "--color", "never"]);
      expect(code, stdout + stderr).toBe(0);
      expect(stdout + stderr).toMatch(/warning: elena: file:\/\/\S+ can't be asked for its commits: /);
      expect(stdout).not.toContain("elena-agent");
    } finally {
      renameSync(`${source.folder}.away`, source.folder);
    }
  });

  it("rejects conflicts with the agent's commits, and leaves it running", async () => {
    const { servers } = output();
    execFileSync("sed", ["-i", "s/second/the agent's/", join(record().repo, "page.txt")]);
    inRepo("commit", "--quiet", "--all", "--message", "Its own page");
    source.commitAll("Third", { "page.txt": "third\n" });
    const { code, stdout } = await test.up();
    expect(code).not.toBe(0);
    expect(stdout).toContain("the new code conflicts with the agent's own commits in page.txt");
    expect(await (await fetch(String(servers["web"]))).text()).toBe("the agent's\n");
    expect(inRepo("status", "--porcelain")).toBe("");
    source.commitAll("Back", { "page.txt": "second\n" });
  });

  it("goes back to the previous version when new code does not start, and prints its log tail", async () => {
    const good = source.git("rev-parse", "HEAD");
    source.commitAll("Broken", { "serve.py": "print('boom at start')\nraise SystemExit(3)\n" });
    const { code, stdout } = await test.up();
    expect(code).not.toBe(0);
    expect(stdout).toContain("elena did not start: its agent ended (DONE); the previous version runs again");
    expect(stdout).toContain("boom at start");
    // A busy engine also shows it in the line of the stack's progress.
    expect(stdout.split("Diagnostics:")[1]?.split("error: not everything could be applied;")).toHaveLength(2);
    expect(stdout).not.toMatch(/^\s+at /m);
    expect(stdout).not.toContain("failed to register");
    const [agent] = agents();
    expect(agent).toMatchObject({ name: "elena", state: "WAITING" });
    expect(readFileSync(join(record().repo, "page.txt"), "utf8")).toBe("the agent's\n");
    expect(readFileSync(join(record().repo, "serve.py"), "utf8")).toBe(`${source.git("show", `${good}:serve.py`)}\n`);
    // It listens on another port now, which is in the stack's outputs.
    expect(await page()).toBe("the agent's\n");
    source.commitAll("Repaired", { "serve.py": `${source.git("show", `${good}:serve.py`)}\n` });
  });

  it("says when its agent died, and starts it again", async () => {
    const [agent] = agents();
    process.kill(Number(agent?.pid), "SIGKILL");
    await expect.poll(() => agents()[0]?.state, { timeout: 20_000 }).toBe("DONE");
    const { ops, repairs } = await test.change();
    expect(ops).toEqual({ "command:local:Command elena-agent": "update" });
    expect(repairs).toEqual({ "elena-agent": expect.stringMatching(/^its agent died \(DONE\) \(repair \d+\)$/) });
    expect(await page()).toBe("the agent's\n");
  });

  it("stops when it is not enabled, and comes back under another name as the same agent", async () => {
    const { agentId, repo } = record();
    declare("elena", "enabled = false");
    const shown = await succeed("--diff");
    expect(shown).toMatch(/ENABLED\s*: "yes" => "no"/);
    // The former repair left nothing to repair.
    expect(shown).not.toMatch(/DRIFT\s*: "[^"]*" =>/);
    expect(agents()).toMatchObject([{ id: agentId, name: "elena", state: "STOPPED" }]);
    expect(output().servers).toEqual({});

    declare("elly", 'renamed_from = "elena"');
    const { ops, repairs } = await test.change();
    expect(ops).toEqual({ "command:local:Command elly-agent": "update" });
    expect(repairs).toEqual({});
    expect(agents()).toMatchObject([{ id: agentId, name: "elly", state: "WAITING" }]);
    expect(record("elly")).toMatchObject({ agentId, repo });
    expect(readRecord(test.paths, "elena")).toBeUndefined();
    expect(JSON.parse(await page("env", "elly"))).toMatchObject({ CHANGELING_NAME: "elly" });
    expect(await test.preview()).toEqual({});
  });

  it("keeps repo and data when it is removed, gets them back, and loses them with destroy_data", async () => {
    const { agentId, repo, data } = record("elly");
    test.declare(forwarding());
    expect(await succeed()).toContain(`elly is removed; kept: ${repo}, ${data}`);
    expect(agents()).toEqual([]);
    expect([existsSync(repo), existsSync(data)]).toEqual([true, true]);

    declare("elly", "destroy_data = true");
    await succeed();
    expect(record("elly").agentId).toBe(agentId);
    expect(await page("", "elly")).toBe("the agent's\n");
    test.declare(forwarding());
    await succeed();
    expect(agents()).toEqual([]);
    expect([existsSync(repo), existsSync(data), readRecord(test.paths, "elly")]).toEqual([false, false, undefined]);
  });
});
