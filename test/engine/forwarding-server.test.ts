import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod/mini";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { isAlive } from "../../components/lib/process.ts";
import { writeRecord } from "../../components/web/agent/record.ts";
import { adminRequest, NotRunning } from "../../components/web/forwarding/admin-client.ts";
import { forwardingDrift } from "../../components/web/forwarding/installed-config.ts";
import { forwardingState } from "../../components/web/forwarding/state.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { freePort } from "../support/free-port.ts";
import { endTmuxServer, hermeticEnvironment } from "./test-stack.ts";

const installation = "forwarding-test";
const home = mkdtempSync(join(tmpdir(), "forwarding-"));
const paths = installationPaths(installation, home);
const env = hermeticEnvironment(home);
const script = join(import.meta.dirname, "../../scripts/command.ts");
const status = z.object({ port: z.number(), url: z.string(), pid: z.number() });
const views = z.array(z.object({ name: z.string(), state: z.string(), servers: z.array(z.string()) }));

let port: number;
const declared = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  INSTALLATION: installation,
  HOST: "127.0.0.1",
  PORT: String(port),
  ROUTING: "host",
  CODE_TTL_SECONDS: "900",
  COOKIE_TTL_SECONDS: "3600",
  ...more,
});

beforeAll(async () => {
  port = await freePort();
});
afterAll(async () => {
  await stopForwardingServer(installation, home);
  endTmuxServer(env);
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

function run(verb: "apply" | "remove", variables = declared()) {
  const options = { env: { ...env, ...variables }, encoding: "utf8" } as const;
  const { status: code, stdout, stderr } = spawnSync(process.execPath, [script, "forwarding-server", verb], options);
  return { code, stdout, stderr };
}

const statusNow = async () => status.parse(await adminRequest(paths.forwarding, { op: "status" }));
const agentsNow = async () => views.parse(await adminRequest(paths.forwarding, { op: "agents" }));

async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries === 900) throw new Error(`not within 90 s: ${what}; its log:\n${log()}`);
    await sleep(100);
  }
}

function isNotRunning(error: unknown): false {
  if (error instanceof NotRunning) return false;
  throw error;
}

const log = () => readFileSync(join(paths.forwarding, "forwarding.log"), "utf8");

it("starts, responds on its port, and is as declared", async () => {
  expect(forwardingDrift(paths)).toBe("the forwarding server is not running");
  const applied = run("apply");
  expect(applied.stderr).toMatch(
    /^forwarding server running at http:\/\/localhost:\d+\/? \(pid \d+, kept running by a restart loop\)\n$/,
  );
  expect(applied.code).toBe(0);
  expect(JSON.parse(applied.stdout)).toEqual({ forwarding: "running", url: (await statusNow()).url });
  expect((await statusNow()).port).toBe(port);
  expect((await fetch(`http://localhost:${port}/`)).status).toBe(200);
  expect(forwardingDrift(paths)).toBeUndefined();
  for (const file of ["config.json", "forwarding.json", "forwarding.log", "key", "admin.sock"]) {
    expect([file, statSync(join(paths.forwarding, file)).mode & 0o777]).toEqual([file, 0o600]);
  }
});

it("its supervisor repairs a crash, and the next `up` a manual edit", async () => {
  const { pid } = await statusNow();
  process.kill(pid, "SIGKILL");
  await eventually("it runs again", () => {
    const now = forwardingState(paths);
    return now.alive && now.pid !== pid;
  });
  // Its state is there before its socket is.
  await eventually("it answers again", () => statusNow().then(() => true, isNotRunning));
  const file = join(paths.forwarding, "config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace("3600", "999999"));
  expect(forwardingDrift(paths)).toBe("its config was edited by hand");
  const before = await statusNow();
  expect(run("apply").code).toBe(0);
  expect(forwardingDrift(paths)).toBeUndefined();
  expect((await statusNow()).pid).not.toBe(before.pid);
  await eventually("the one before has ended", () => !isAlive(before.pid));
  const state = join(paths.forwarding, "forwarding.json");
  const text = readFileSync(state, "utf8");
  writeFileSync(state, text.replace(/"programVersion":"\w+"/, '"programVersion":"0"'));
  expect(forwardingDrift(paths)).toBe("the forwarding server runs an older program");
  writeFileSync(state, text);
});

it("if the new one can't listen, the old one keeps running", async () => {
  const { pid } = await statusNow();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port: takenPort } = taken.address() as AddressInfo;
  const refused = run("apply", declared({ PORT: String(takenPort) }));
  taken.close();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(`error: port ${takenPort} of 127.0.0.1 is in use by another program`);
  expect(await statusNow()).toMatchObject({ pid, port });
  expect(forwardingDrift(paths)).toBeUndefined();
});

it("finds a real agent, and notices when it is stopped and started", async () => {
  const repo = join(home, "repo");
  const data = join(home, "data");
  for (const folder of [repo, data]) mkdirSync(folder);
  writeFileSync(join(data, "index.html"), "<h1>Away</h1>");
  writeFileSync(join(home, "agent.env"), `CHANGELING_DATA=${data}\n`);
  const who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
  for (const args of [
    ["init", "--quiet"],
    [...who, "commit", "--quiet", "--allow-empty", "--message", "First"],
  ])
    execFileSync("git", args, { cwd: repo, env });
  const agentId = `agent-${"0123456789abcdef".repeat(2)}`;
  const server = `const s = require("http").createServer((q, r) => r.end("hello")).listen(0, "127.0.0.1", () => {
    const folder = process.env.MNGR_AGENT_STATE_DIR + "/events/services";
    require("fs").mkdirSync(folder, { recursive: true });
    const line = { type: "service_registered", service: "web", url: "http://127.0.0.1:" + s.address().port };
    require("fs").appendFileSync(folder + "/events.jsonl", JSON.stringify(line) + "\\n");
  });`;
  const mngr = (...args: string[]) => execFileSync("mngr", args, { cwd: repo, env, stdio: "pipe" });
  const create = ["create", "real", "--id", agentId, "--type", "command", "--transfer=none", "--no-connect", "--yes"];
  mngr(...create, "--headless", "--env-file", join(home, "agent.env"), "--", process.execPath, "-e", server);
  const record = { version: 1, name: "real", agentId, agentName: "real", provider: "local", repo, data } as const;
  writeRecord(paths, record);
  await adminRequest(paths.forwarding, { op: "refresh" });
  const isState = (state: string) => async () => (await agentsNow()).some((agent) => agent.state === state);
  await eventually("it is online", isState("online"));
  expect(await agentsNow()).toEqual([{ name: "real", state: "online", servers: ["web"] }]);
  mngr("stop", agentId);
  await adminRequest(paths.forwarding, { op: "refresh" });
  await eventually("it is offline", isState("offline"));
  mngr("start", agentId);
  await eventually("it is back, at another port", isState("online"));
  mngr("destroy", agentId, "--force");
  expect(log()).toMatch(/real is online \(web\).*real is offline: it is stopped.*real is online \(web\)/s);
});

it("is removed with all its files", async () => {
  rmSync(paths.web, { recursive: true });
  const { pid } = forwardingState(paths);
  expect(JSON.parse(run("remove").stdout)).toEqual({ forwarding: "removed" });
  await eventually("it has ended", () => !isAlive(Number(pid)));
  expect(existsSync(paths.root)).toBe(false);
  // A destroy on a machine that has nothing of the stack is refused: the server may run on another one.
  expect(run("remove")).toMatchObject({ code: 1, stderr: expect.stringContaining("this machine has no files of") });
});
