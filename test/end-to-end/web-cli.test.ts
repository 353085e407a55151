import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devFolder, ensureDevStack } from "../../scripts/stack/dev-stack.ts";
import { endTmuxServer, hermeticEnvironment } from "../engine/test-stack.ts";
import { freePort } from "../support/free-port.ts";
import { type Program, runScript } from "../support/run-script.ts";
import { probeRepository } from "../support/web-stack.ts";

let home: string;
let env: NodeJS.ProcessEnv;
let port: number;
let fleet: string;
const fleetFile = () => join(devFolder(home), "fleet.toml");
const declared = () => readFileSync(fleetFile(), "utf8");

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "web-cli-"));
  env = hermeticEnvironment(home);
  ensureDevStack(home, env);
  port = await freePort();
  fleet = `# mine\n[forwarding]\nport = ${port} # ours\n`;
  writeFileSync(fleetFile(), fleet, { mode: 0o600 });
});
afterAll(async () => {
  // The last test destroys everything.
  if (declared() !== fleet) await run("stop");
  endTmuxServer(env);
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

const run = (script: Program, ...args: string[]) => runScript(script, args, env);

const changeling = (...args: string[]) => run("changeling", ...args);

async function answerOf(...args: string[]) {
  const { code, stdout, stderr } = await changeling(...args, "--json");
  expect(code, stdout + stderr).toBe(0);
  return JSON.parse(stdout);
}

const git = (...args: string[]) => execFileSync("git", args, { cwd: join(home, "mine"), env, encoding: "utf8" }).trim();
const commit = (message: string) =>
  git("-c", "user.name=Me", "-c", "user.email=me@example.com", "commit", "--quiet", `--message=${message}`);

describe("the changeling command for web changelings", () => {
  it.each([
    [["deploy"], 2, "give a git URL, or --agent-type TYPE"],
    [["deploy", "--agent-type", "chat"], 2, "there is no terminal to confirm on; add --yes"],
    [
      ["deploy", "--agent-type", "chatt", "--yes"],
      1,
      "with this change the fleet file has errors; nothing was written",
    ],
    [["deploy", "--agent-type", "chat", "--add-path", "nowhere:x", "--yes"], 1, "does not exist"],
    [["forward"], 1, "the fleet file declares no web changeling; add one with: changeling deploy"],
    [["stop", "chat"], 1, 'the fleet file declares no changeling "chat"'],
    [["open", "chat"], 1, "no web changeling is deployed on this stack; deploy one with: changeling deploy"],
    [["revoke"], 2, "give the name of a web changeling, or --all"],
  ])("refuses %j with exit code %d, and touches nothing", async (args, code, message) => {
    const ended = await changeling(...args);
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
    expect(declared()).toBe(fleet);
  });

  it("shows the planned edit", async () => {
    const { code, stdout } = await changeling("deploy", "--agent-type", "chat", "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toContain('+[changelings.chat]\n+kind = "web"\n+agent_type = "chat"\n');
    expect(declared()).toBe(fleet);
  });

  let chat: { agentId: string; url: string; loginUrl: string; repo: string; data: string };

  it("deploys one from scratch, and its login URL works in a browser", async () => {
    chat = await answerOf("deploy", "--agent-type", "chat", "--yes");
    expect(chat).toMatchObject({ name: "chat", state: "running", url: `http://${chat.agentId}.localhost:${port}/` });
    expect(declared()).toBe(`${fleet}\n[changelings.chat]\nkind = "web"\nagent_type = "chat"\n`);
    const authenticate = chat.loginUrl.replace("/login?", "/authenticate?");
    const { status, headers } = await fetch(authenticate, { redirect: "manual" });
    expect([status, headers.getSetCookie().length > 0]).toEqual([302, true]);
  });

  it("rejects a name that is in use", async () => {
    const { code, stderr } = await changeling("deploy", "--agent-type", "chat", "--yes");
    expect(code).toBe(1);
    expect(stderr).toContain("chat is already declared; apply it with: changeling update chat, or add: --name chat-2");
  });

  it("lists it, prints login URLs and its log, and explains what to do instead of running it", async () => {
    expect(await answerOf("list")).toMatchObject([{ name: "chat", kind: "web", state: "running", url: chat.url }]);
    const login = await changeling("login-url", "chat");
    expect(login.stdout).toMatch(
      new RegExp(`^http://localhost:${port}/login\\?agent_id=${chat.agentId}&one_time_code=\\S+\\n$`),
    );
    expect(await answerOf("forward")).toMatchObject({ port, logins: [{ name: "chat", agentId: chat.agentId }] });
    expect((await answerOf("logs", "chat")).text).toContain("listens on unix:/");
    for (const verb of ["run", "runs", "pause"]) {
      const { code, stderr } = await changeling(verb, "chat");
      expect([code, stderr]).toEqual([1, expect.stringContaining("chat is a web changeling: ")]);
    }
  });

  it("ends its logins", async () => {
    const { url } = await answerOf("login-url", "chat");
    expect(await answerOf("revoke", "chat")).toEqual({ revoked: "chat", agentId: chat.agentId });
    const { status } = await fetch(url.replace("/login?", "/authenticate?"), { redirect: "manual" });
    expect(status).toBe(403);
    expect(await answerOf("revoke", "--all")).toEqual({ revoked: "all" });
  });

  it("stops and starts it again, in the file and in reality", async () => {
    expect(await answerOf("stop", "chat")).toMatchObject({ state: "stopped", loginUrl: null });
    expect(declared()).toContain('agent_type = "chat"\nenabled = false\n');
    expect(await answerOf("list")).toMatchObject([{ state: "stopped", enabled: false }]);
    expect(await answerOf("start", "chat")).toMatchObject({ state: "running", agentId: chat.agentId });
  });

  let mine: { repo: string; data: string };

  it("deploys one from a repository", async () => {
    probeRepository(join(home, "mine"));
    mine = await answerOf("deploy", join(home, "mine"), "--yes");
    expect(declared()).toContain('[changelings.mine]\nkind = "web"\nsource = "~/mine"\n');
  });

  it("merges its new commits, even if another changeling lacks a secret", async () => {
    const complete = declared();
    const needy = '[changelings.needy]\nkind = "web"\nagent_type = "chat"\nsecrets = ["NOT_SET"]\n';
    writeFileSync(fleetFile(), `${complete}\n${needy}`);
    const before = git("rev-parse", "HEAD");
    writeFileSync(join(home, "mine", "NEWS.md"), "Mine.\n");
    git("add", "NEWS.md");
    commit("Second");
    const updated = await answerOf("update", "mine");
    expect(updated).toMatchObject({ state: "running", commitBefore: before, commit: git("rev-parse", "HEAD") });
    expect(readFileSync(join(mine.repo, "NEWS.md"), "utf8")).toBe("Mine.\n");
    expect((await answerOf("list")).map(({ state }: { state: string }) => state)).toEqual(["running", "running"]);
    const { code, stderr } = await changeling("update", "needy");
    expect([code, stderr]).toEqual([1, expect.stringContaining("needy needs NOT_SET; nothing was written")]);
    writeFileSync(fleetFile(), complete);
  });

  it("keeps the declaration if it can't be applied, and can undo it", async () => {
    git("checkout", "--quiet", "-b", "broken");
    git("rm", "--quiet", "-r", ".mngr");
    commit("No template");
    const before = declared();
    const args = ["deploy", join(home, "mine"), "--name", "broken", "--branch", "broken", "--yes"];
    const { code, stderr } = await changeling(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "broken is declared in " +
        fleetFile() +
        ", but it could not be applied, for the reason above\n" +
        "try again with: changeling update broken; undo it with: changeling destroy broken\n",
    );
    expect(declared()).toContain("[changelings.broken]\n");
    expect(await answerOf("destroy", "broken", "--yes")).toEqual({ name: "broken", removed: true, kept: null });
    expect(declared()).toBe(before);
  });

  it("reports no problems and no changes", async () => {
    const doctor = await changeling("doctor", "--json");
    expect(doctor.code, doctor.stdout).toBe(0);
    const names = JSON.parse(doctor.stdout).map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["forwarding server", "agent of chat", "agent of mine"]));
    expect((await changeling("plan")).stdout).toBe("Nothing changes: the fleet is as declared.\n");
  });

  it("destroys them: one keeps its data and repo, the other does not", async () => {
    expect(await answerOf("destroy", "chat", "--yes")).toEqual({
      name: "chat",
      removed: true,
      kept: { repo: chat.repo, data: chat.data },
    });
    expect([existsSync(chat.repo), existsSync(chat.data)]).toEqual([true, true]);
    expect(await answerOf("list")).toMatchObject([{ name: "mine", state: "running" }]);
    expect(await answerOf("destroy", "mine", "--data", "--yes")).toEqual({ name: "mine", removed: true, kept: null });
    expect([existsSync(mine.repo), existsSync(mine.data)]).toEqual([false, false]);
    expect((await changeling("destroy", "chat")).stderr).toContain("chat was already removed; its data (");
    expect(await answerOf("destroy", "chat", "--data", "--yes")).toMatchObject({ kept: null });
    expect([existsSync(chat.repo), existsSync(chat.data)]).toEqual([false, false]);
    expect(await answerOf("list")).toEqual([]);
    expect(declared()).toBe(fleet);
    await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow("fetch failed");
  });
});
