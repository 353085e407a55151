import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { readRecord } from "../../components/web/agent/record.ts";
import { devStack } from "../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { setUpSandboxTools } from "../../scripts/stack/setup/sandbox-tools.ts";
import { installationOf, pulumi } from "../../scripts/stack/stack.ts";
import { endTmuxServer, hermeticEnvironment } from "../engine/test-stack.ts";
import { freePort } from "../support/free-port.ts";
import { changelingInProcess } from "../support/run-in-process.ts";
import { type Program, runScript } from "../support/run-script.ts";
import { SmallBrowser } from "../support/small-browser.ts";
import { followTutorial } from "../support/tutorial.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";

let home: string;
let env: NodeJS.ProcessEnv;
let port: number;
/** The repository of the web changeling elena. */
let source: WebAgentRepo;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "start-"));
  // Otherwise it would be downloaded into this home.
  const { bwrap } = await setUpSandboxTools([]);
  const hermetic = hermeticEnvironment(home);
  env = { ...hermetic, PATH: [dirname(bwrap), hermetic["PATH"]].join(delimiter) };
  source = new WebAgentRepo();
});
afterAll(async () => {
  // The last test did it, unless one failed.
  if (existsSync(dev())) await run("stop", ["--data"]);
  endTmuxServer(env);
  source?.[Symbol.dispose]();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

const run = (script: Program, args: string[] = [], interruptAt?: RegExp) => runScript(script, args, env, interruptAt);
/** Where the start of the program is not what is shown. */
const changeling = (...args: string[]) => changelingInProcess(args, env);

const settings = () => readFileSync(join(projectFolder, "Pulumi.dev.yaml"), "utf8");
const settingsBefore = settings();

const dev = () => join(home, ".changelings", "dev");
const example = readFileSync(join(projectFolder, "changelings", "example.toml"), "utf8");

const git = (...args: string[]) =>
  execFileSync("git", ["-C", join(dev(), "demo-repo"), ...args], { env, encoding: "utf8" }).trim();

describe("npm start and npm stop", () => {
  it("takes no options", async () => {
    expect(await run("start", ["--fast"])).toMatchObject({ code: 2 });
    expect(existsSync(join(home, ".changelings"))).toBe(false);
  });

  it("survives a Ctrl-C in the middle of its first up", async () => {
    // A fleet file that is there stays: this one has a port that nobody else's forwarding server has, and one more agent.
    mkdirSync(dev(), { recursive: true, mode: 0o700 });
    port = await freePort();
    const elenas = `[changelings.elena]\nkind = "web"\nsource = "file://${source.folder}"\n`;
    writeFileSync(join(dev(), "fleet.toml"), `${example}\n[forwarding]\nport = ${port}\n${elenas}`);
    const { code } = await run("start", [], /scheduler creating/);
    expect(code).not.toBe(0);
  });

  it("ends with the table of the fleet and a real agent's real commit", async () => {
    const { code, stdout, output } = await run("start");
    expect(code, output).toBe(0);
    const branch = /branch {3}(changelings\/todo-ledger-\S+)/.exec(stdout)?.[1] ?? "";
    expect(git("log", "--format=%s", `main..${branch}`).split("\n")).toHaveLength(1);
    expect(git("show", `${branch}:TODO-LEDGER.md`)).toContain("TODO");
    expect(stdout).toMatch(/\nchat is running\.\n {2}page {3}http:\S+\n {2}login {2}http:\S+one_time_code=\S+\n/);
    expect(stdout).toMatch(/NAME\s+WHEN\s+TIME ZONE\s+NEXT RUN\s+LAST RUN/);
    expect(stdout).toMatch(/todo-ledger\s+At .* {2}succeeded (just now|\d+ s ago): 1 commit/);
  });

  it("leaves a web changeling running, whose login URL lets a browser in, once", async () => {
    const { stdout } = await changeling("login-url", "chat");
    const [, id] = /agent_id=(agent-[0-9a-f]{32})&/.exec(stdout) ?? [];
    const browser = new SmallBrowser(Number(port));
    const authenticate = stdout.trim().replace("/login?", "/authenticate?");
    expect((await browser.open(authenticate)).body).toContain(id);
    expect((await new SmallBrowser(Number(port)).open(authenticate)).status).toBe(403);
  });

  it("does what the tutorial shows, command by command; pauses and resumes in the file, keeping its comments", async () => {
    const comments = (text: string) => text.split("\n").filter((line) => line.startsWith("#"));
    const seen: string[] = [];
    await followTutorial(home, env, async (command) => {
      const verb = / (pause|resume) todo-ledger$/.exec(command)?.[1];
      if (verb === undefined) return;
      seen.push(verb);
      const { stdout } = await changeling("list");
      expect(/todo-ledger.*paused/.test(stdout), stdout).toBe(verb === "pause");
      expect(comments(readFileSync(join(dev(), "fleet.toml"), "utf8"))).toEqual(comments(example));
    });
    expect(seen).toEqual(["pause", "resume"]);
    // Each start fires the first changeling again, and so does `run`.
    expect(git("branch", "--list", "changelings/*", "--format=%(refname)").split("\n")).toHaveLength(4);
  });

  it("answers scripts by the CLI", async () => {
    const list = JSON.parse((await run("changeling", ["list", "--json"])).stdout);
    expect(list).toContainEqual(
      expect.objectContaining({ name: "todo-ledger", lastRun: expect.objectContaining({ outcome: "succeeded" }) }),
    );
    const runs = JSON.parse((await changeling("runs", "todo-ledger", "--json")).stdout);
    expect(runs).toHaveLength(4);
    expect(runs[0]).toMatchObject({
      cause: { kind: "manual" },
      outcome: "succeeded",
      commits: [{ subject: expect.any(String) }],
    });
    const logs = await changeling("logs", "todo-ledger");
    expect(logs.stdout).toContain(runs[0].id);
    expect(JSON.parse((await changeling("validate", "--json")).stdout)).toMatchObject({
      valid: true,
      diagnostics: [],
    });
  });

  it.each([
    [["run", "todo-leger"], 1, 'no changeling "todo-leger" is deployed on this stack; did you mean todo-ledger?'],
    [["runn"], 2, "unknown command 'runn'"],
    [["logs"], 2, "missing required argument 'name'"],
    [["runs", "--limit", "none"], 2, "It must be a whole number, at least 1."],
    [["--stack", "dev", "logs", "todo-ledger", "no-such-run"], 1, 'todo-ledger has no run "no-such-run"'],
  ])("refuses changeling %j with exit code %d", async (args, code, message) => {
    const ended = await changeling(...args);
    expect(ended.code).toBe(code);
    expect(ended.output).toContain(message);
  });

  it("has a doctor that reports success, and a scheduler that was killed", async () => {
    const well = await run("changeling", ["doctor", "--json"]);
    expect(well.code, well.output).toBe(0);
    expect(JSON.parse(well.stdout).map(({ name }: { name: string }) => name)).toContain("scheduler");
    await stopScheduler(installationOf(devStack(home)), { endRuns: false }, home);
    const ill = await run("changeling", ["doctor"]);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toMatch(/FAILED {3}scheduler: not running, so nothing fires\n\s+start it with: /);
  });

  it("names the missing key when a changeling is resumed without one, and writes nothing", async () => {
    const fleet = () => readFileSync(join(dev(), "fleet.toml"), "utf8");
    const before = fleet();
    const { code, output } = await run("changeling", ["resume", "fixme-fairy"]);
    expect(code).toBe(1);
    expect(output).toContain("fixme-fairy needs ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN; nothing was written");
    expect(output).not.toContain("Resources:");
    expect(fleet()).toBe(before);
    const key = ["config", "set", "--secret", "changelings:ANTHROPIC_API_KEY", "sk-test"];
    expect((await pulumi(devStack(home), key, { capture: true, env })).code).toBe(0);
    const resumed = await run("changeling", ["resume", "fixme-fairy"]);
    expect(resumed.code, resumed.output).toBe(0);
    expect(JSON.parse((await changeling("validate", "--json")).stdout).missingSecrets).toEqual([]);
  });

  it("explains npm stop, and rejects an unknown option", async () => {
    expect(await run("stop", ["--help"])).toMatchObject({ code: 0, stdout: expect.stringContaining("--data") });
    expect((await run("stop", ["--all"])).code).toBe(2);
  });

  it("removes what it made, and keeps what a person deployed: repositories, data and the fleet file", async () => {
    const { repo, data } = elena();
    writeFileSync(join(data, "notes"), "mine");
    const { code, output } = await run("stop");
    expect(code, output).toBe(0);
    for (const place of [repo, data, join(dev(), "fleet.toml")]) expect(output).toContain(`Kept: ${place}\n`);
    expect(readFileSync(join(data, "notes"), "utf8")).toBe("mine");
    expect(readdirSync(dev())).toEqual(["fleet.toml"]);
    expect(mngrAgents()).toEqual([]);
    expect(readdirSync(join(home, ".changelings")).filter((name) => name.startsWith("agent-"))).toHaveLength(2);
    // With its record a changeling of this name gets them back.
    expect(elena()).toMatchObject({ repo, data, removed: true });
  });

  it("removes all of it when asked to, after saying what", async () => {
    const { repo, data } = elena();
    const { code, output } = await run("stop", ["--data"]);
    expect(code, output).toBe(0);
    expect(output).toContain(`Deleting elena: ${repo}, ${data}\n`);
    expect(readdirSync(join(home, ".changelings"))).toEqual([]);
    expect(settings()).toBe(settingsBefore);
    expect(mngrAgents()).toEqual([]);
    expect((await run("stop")).output).toBe("Nothing to stop: the stack of `npm start` does not exist.\n");
  });
});

function elena() {
  const record = readRecord(installationPaths(installationOf(devStack(home), home), home), "elena");
  if (record === undefined) throw new Error("elena has no record");
  return record;
}

function mngrAgents(): unknown {
  const listed = execFileSync("mngr", ["list", "--provider", "local", "--format", "json"], { env, encoding: "utf8" });
  return JSON.parse(listed).agents;
}
