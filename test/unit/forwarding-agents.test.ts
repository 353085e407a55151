import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readTextIfAny } from "../../components/files.ts";
import { type InstallationPaths, installationPaths } from "../../components/installation-paths.ts";
import { isAlive } from "../../components/supervision/process.ts";
import type { Agents } from "../../components/web/forwarding/program/agents.ts";
import { discoverAgents, type Waits } from "../../components/web/forwarding/program/discovery/live-agents.ts";
import { removeRecord, type WebRecord, writeRecord } from "../../components/web/record.ts";

/** Says what the test wrote down for `list` and for `exec`, and writes down that it was called. */
const fakeMngr = `#!/bin/sh
echo "$*" | cut -c 1-200 >>"$HOME/calls"
if [ -e "$HOME/hang" ]; then sleep 600 & echo "$$ $!" >>"$HOME/pids"; wait; fi
for address in $*; do case $address in *@*) if grep -q "\${address%@*}" "$HOME/gone" 2>/dev/null
then echo "Error: Agent not found: No agent(s) found matching: $address" >&2; exit 8; fi;; esac; done
cat "$HOME/$1.json" && exit "$(cat "$HOME/$1.code" 2>/dev/null || echo 0)"
`;

const waits: Waits = { asked: 20, mostAsked: 20, starting: 50, idle: 600_000, patience: 10_000 };

let home: string;
let paths: InstallationPaths;
let agents: Agents;
let log: string[];
const servers: Server[] = [];
/** What mngr says: by an agent's id. */
let said: Record<string, { state: string; registered?: object[]; page?: string }>;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "agents-"));
  paths = installationPaths("test", home);
  mkdirSync(join(home, "bin"));
  writeFileSync(join(home, "bin", "mngr"), fakeMngr);
  chmodSync(join(home, "bin", "mngr"), 0o755);
  log = [];
  said = {};
});

afterEach(() => {
  agents?.stop();
  for (const server of servers.splice(0)) server.close();
  rmSync(home, { recursive: true, force: true });
});

const idOf = (name: string) => `agent-${Buffer.from(name).toString("hex").padEnd(32, "0")}`;

function record(name: string): WebRecord {
  return { version: 1, name, agentId: idOf(name), agentName: name, provider: "local", repo: "/r", data: "/d" };
}

function declare(...names: string[]): void {
  for (const name of names) writeRecord(paths, record(name));
}

/** Puts down what mngr says from now on. */
function mngrSays(name: string, state: string, ports: Record<string, number> = {}, page?: string): void {
  const registered = Object.entries(ports).map(([server, port]) => ({ server, url: `http://127.0.0.1:${port}` }));
  said[idOf(name)] = { state, registered, ...(page === undefined ? {} : { page }) };
  writeAnswers();
}

function writeAnswers(): void {
  const list = Object.entries(said).map(([id, { state }]) => ({ id, name: id, state }));
  writeFileSync(join(home, "list.json"), JSON.stringify({ agents: list, errors: [] }));
  const results = Object.entries(said).map(([id, { registered = [], page = "" }]) => {
    const lines = registered.map((line) => `${JSON.stringify(line)}\n`).join("");
    const files = `--- events/services/events.jsonl\n\n--- logs/servers.jsonl\n${lines}\n--- logs/agent_server.jsonl\n`;
    return { agent: id, stdout: `=== agent ${id}\n\n${files}\n=== page\n${page}`.trimEnd(), stderr: "", success: true };
  });
  writeFileSync(join(home, "exec.json"), JSON.stringify({ results, failed_agents: [] }));
}

async function start(own: Partial<Waits> = {}): Promise<Agents> {
  const env = { PATH: `${join(home, "bin")}:${process.env["PATH"]}`, HOME: home };
  agents = discoverAgents({ paths, env, log: (line) => log.push(line), waits: { ...waits, ...own } });
  await agents.refresh();
  return agents;
}

async function listen(port = 0): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  servers.push(server);
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port: (server.address() as AddressInfo).port, close };
}

const calls = (what: string) =>
  readFileSync(join(home, "calls"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith(what)).length;
const states = () => Object.fromEntries(agents.list().map(({ name, state }) => [name, state]));
const urlOf = (port: number) => ({ kind: "online", url: new URL(`http://127.0.0.1:${port}/`) });

async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries === 200) throw new Error(`not within 10 s: ${what}; the log: ${log.join("; ")}`);
    await sleep(50);
  }
}

it("an agent is online when something answers, starting while it runs without, else offline, with its page", async () => {
  const [web, api] = [await listen(), await listen()];
  declare("ended", "fresh", "on", "stopped");
  mngrSays("on", "WAITING", { api: api.port, web: web.port, dead: 1 });
  mngrSays("fresh", "RUNNING");
  // Its port is somebody else's by now.
  mngrSays("stopped", "STOPPED", { web: web.port }, "<h1>Back soon</h1>\n<p>Yes</p>");
  mngrSays("ended", "DONE");
  await start();
  expect(agents.list()).toEqual([
    { id: idOf("ended"), name: "ended", provider: "local", state: "offline", servers: [] },
    { id: idOf("fresh"), name: "fresh", provider: "local", state: "starting", servers: [] },
    { id: idOf("on"), name: "on", provider: "local", state: "online", servers: ["api", "web", "dead"] },
    { id: idOf("stopped"), name: "stopped", provider: "local", state: "offline", servers: ["web"] },
  ]);
  expect(agents.find(idOf("on"))?.name).toBe("on");
  expect(await agents.target(idOf("on"), undefined)).toEqual(urlOf(web.port));
  expect(await agents.target(idOf("on"), "api")).toEqual(urlOf(api.port));
  expect(await agents.target(idOf("on"), "nope")).toBeUndefined();
  expect(await agents.target(idOf("on"), "dead")).toEqual({
    kind: "offline",
    reason: "its server dead does not answer",
  });
  expect(await agents.target(idOf("fresh"), undefined)).toEqual({
    kind: "starting",
    reason: "it has not registered a server yet",
  });
  expect(await agents.target(idOf("stopped"), undefined)).toEqual({
    kind: "offline",
    reason: "it is stopped",
    page: "<h1>Back soon</h1>\n<p>Yes</p>",
  });
  expect(await agents.target(idOf("ended"), undefined)).toEqual({ kind: "offline", reason: "it has ended" });
  expect(await agents.target(idOf("nobody"), undefined)).toBeUndefined();
  expect(agents.find(idOf("nobody"))).toBeUndefined();
  expect(log.toSorted()).toEqual([
    "ended is offline: it has ended",
    "fresh is starting: it has not registered a server yet",
    "on is online (api, web, dead)",
    "stopped is offline: it is stopped",
  ]);
});

it("when it came back at another port, all requests that wait share one look at mngr", async () => {
  const before = await listen();
  declare("moved");
  mngrSays("moved", "WAITING", { web: before.port });
  await start({ asked: 0 });
  const looks = calls("exec");
  await before.close();
  const after = await listen();
  mngrSays("moved", "WAITING", { web: after.port });
  expect(await agents.target(idOf("moved"), undefined)).toEqual(urlOf(before.port));
  agents.failed(idOf("moved"));
  const targets = await Promise.all(Array.from({ length: 20 }, () => agents.target(idOf("moved"), undefined)));
  expect(targets).toEqual(targets.map(() => urlOf(after.port)));
  expect([calls("exec"), calls("list")]).toEqual([looks + 1, looks + 1]);
});

it("one that only closed a connection costs no look, nor does one that was looked for just now", async () => {
  const web = await listen();
  declare("fine", "off");
  mngrSays("fine", "WAITING", { web: web.port });
  mngrSays("off", "STOPPED");
  await start({ asked: 60_000, mostAsked: 60_000 });
  const looks = calls("exec");
  agents.failed(idOf("fine"));
  expect(await agents.target(idOf("fine"), undefined)).toEqual(urlOf(web.port));
  expect((await agents.target(idOf("off"), undefined))?.kind).toBe("offline");
  expect(calls("exec")).toBe(looks);
});

it("one that is starting is looked at until it answers; then nobody is asked any more", async () => {
  const web = await listen();
  declare("slow");
  mngrSays("slow", "RUNNING");
  await start();
  await eventually("it is looked at again and again", () => calls("exec") > 4);
  expect(states()).toEqual({ slow: "starting" });
  mngrSays("slow", "RUNNING", { web: web.port });
  await eventually("it is online", () => states()["slow"] === "online");
  const looks = calls("exec");
  await sleep(300);
  expect(calls("exec")).toBe(looks);
});

it("an error of mngr, or an answer that is none, drops no agent that is there; the log says it once", async () => {
  const web = await listen();
  declare("lives");
  mngrSays("lives", "WAITING", { web: web.port });
  await start();
  for (const file of ["list", "exec"]) writeFileSync(join(home, `${file}.json`), "what?");
  for (let n = 0; n < 3; n += 1) await agents.refresh();
  expect(states()).toEqual({ lives: "online" });
  expect(await agents.target(idOf("lives"), undefined)).toEqual(urlOf(web.port));
  writeFileSync(
    join(home, "exec.json"),
    JSON.stringify({ results: [{ agent: "x", stdout: "?", stderr: "", success: true }] }),
  );
  writeFileSync(join(home, "list.json"), JSON.stringify({ agents: [], errors: [{ message: "unreachable" }] }));
  await agents.refresh();
  expect(states()).toEqual({ lives: "online" });
  expect(log.slice(1)).toEqual([expect.stringMatching(/^mngr list printed something else/), "mngr tells all again"]);
});

it("lines that are no registrations are told of once", async () => {
  const web = await listen();
  declare("odd");
  mngrSays("odd", "WAITING", { web: web.port });
  said[idOf("odd")]?.registered?.push({ nonsense: true });
  writeAnswers();
  await start();
  await agents.refresh();
  expect(log).toEqual(["odd is online (web)", "odd has lines among its registrations that are none"]);
});

it("one whose agent is gone does not hide the others", async () => {
  const web = await listen();
  declare("gone", "here");
  mngrSays("here", "WAITING", { web: web.port });
  writeFileSync(join(home, "gone"), `${idOf("gone")}\n`);
  await start();
  expect(states()).toEqual({ gone: "offline", here: "online" });
  expect(await agents.target(idOf("gone"), undefined)).toEqual({ kind: "offline", reason: "mngr has no such agent" });
});

it("takes over what `pulumi up` declares and removes", async () => {
  const web = await listen();
  mngrSays("first", "WAITING", { web: web.port });
  mngrSays("second", "WAITING", { web: web.port });
  await start();
  expect(existsSync(join(home, "calls"))).toBe(false);
  declare("first", "second");
  await eventually("both are there", () => states()["first"] === "online" && states()["second"] === "online");
  writeRecord(paths, { ...record("second"), removed: true });
  await eventually("one is gone", () => agents.find(idOf("second")) === undefined);
  removeRecord(paths, "first");
  await eventually("none is left", () => agents.list().length === 0);
});

it("leaves no mngr behind when it stops", async () => {
  declare("one");
  writeFileSync(join(home, "hang"), "");
  mngrSays("one", "WAITING");
  const started = start();
  const pids = () => (readTextIfAny(join(home, "pids")) ?? "").split(/\s/).filter(Boolean).map(Number);
  await eventually("mngr runs twice, with a process of its own each", () => pids().length === 4);
  expect(pids().map(isAlive)).toEqual([true, true, true, true]);
  agents.stop();
  await started;
  await eventually("they have ended", () => !pids().some(isAlive));
});
