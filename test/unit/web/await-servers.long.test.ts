import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Agent, Mngr } from "../../../components/mngr/client.ts";
import { mostBytes, parseServersOutput, registeredServers } from "../../../components/web/agent/servers.ts";
import { prepareCommand, sinceStartCommand, startNote } from "../../../components/web/life-cycle/await-servers.ts";
import { awaitServersHere, serversSinceStart } from "../../../components/web/local/servers.ts";

let state: string;
let workDir: string;
beforeEach(() => {
  const home = mkdtempSync(join(tmpdir(), "await-servers-"));
  [state, workDir] = [join(home, "state"), join(home, "work")];
  for (const folder of [state, workDir]) mkdirSync(folder);
});
afterEach(() => rmSync(dirname(state), { recursive: true }));

/** As mngr does, in the agent's environment and work dir. */
const sh = (command: string) =>
  execFileSync("sh", ["-c", command], {
    cwd: workDir,
    env: { PATH: process.env["PATH"], MNGR_AGENT_STATE_DIR: state },
    encoding: "utf8",
  });
function register(url: string, { file = "events/services/events.jsonl", name = "web" } = {}): void {
  mkdirSync(dirname(join(state, file)), { recursive: true });
  const line = file.startsWith("events") ? { type: "service_registered", service: name, url } : { server: name, url };
  appendFileSync(join(state, file), `${JSON.stringify(line)}\n`);
}
const since = (seconds = 0) =>
  Object.fromEntries(registeredServers(parseServersOutput(sh(sinceStartCommand(seconds)))).servers);

describe("the commands that are run for an agent", () => {
  it("count what was registered since it was provisioned, in each of the files", () => {
    expect([sh(prepareCommand), since()]).toEqual(["", {}]);
    register("http://127.0.0.1:1001");
    register("http://127.0.0.1:1002", { file: "logs/servers.jsonl", name: "api" });
    expect(since()).toEqual({ web: "http://127.0.0.1:1001/", api: "http://127.0.0.1:1002/" });
    sh(prepareCommand);
    expect(since()).toEqual({});
    register("http://127.0.0.1:1003");
    expect(since()).toEqual({ web: "http://127.0.0.1:1003/" });
  });

  it("wait for a registration, up to the given time", async () => {
    sh(prepareCommand);
    const start = Date.now();
    expect(since(0.6)).toEqual({});
    expect(Date.now() - start).toBeGreaterThan(300);
  });

  it("copy the settings to the path of spec 001, and remove them if there are none", () => {
    mkdirSync(join(workDir, ".changelings"));
    writeFileSync(join(workDir, ".changelings/settings.toml"), "[chat]\n");
    sh(prepareCommand);
    expect(readFileSync(join(state, "settings.toml"), "utf8")).toBe("[chat]\n");
    rmSync(join(workDir, ".changelings"), { recursive: true });
    sh(prepareCommand);
    expect(existsSync(join(state, "settings.toml"))).toBe(false);
  });
});

describe("awaitServersHere", () => {
  let server: Server;
  let port: number;
  beforeEach(async () => {
    server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const mngr = (agentState: string | undefined): Pick<Mngr, "list"> => {
    const agent = (state: string): Agent => ({ id: "agent-1", name: "elena", state, labels: {}, plugin: {} });
    return {
      list: async () => ({ agents: agentState === undefined ? [] : [agent(agentState)], isComplete: true }),
    };
  };
  const awaited = (of: Pick<Mngr, "list">, timeoutSeconds = 10) =>
    awaitServersHere(of, { agentId: "agent-1", folder: state, timeoutSeconds });
  const ours = () => `http://127.0.0.1:${port}/`;

  it("returns the registered servers once they accept connections", async () => {
    register("http://127.0.0.1:1/");
    sh(prepareCommand);
    setTimeout(() => register(ours()), 300);
    expect(await awaited(mngr("WAITING"))).toEqual({ web: ours() });
  });

  it("waits for `web` if there are several", async () => {
    sh(prepareCommand);
    register("http://127.0.0.1:1/", { name: "api" });
    register(ours());
    expect(await awaited(mngr("WAITING"))).toEqual({ api: "http://127.0.0.1:1/", web: ours() });
  });

  it("fails soon for an agent that ended, was stopped or went away", async () => {
    sh(prepareCommand);
    const ends = [
      ["DONE", "its agent ended (DONE)"],
      ["STOPPED", "its agent ended (STOPPED)"],
      [undefined, "mngr no longer has its agent"],
    ] as const;
    await Promise.all(ends.map(([of, message]) => expect(awaited(mngr(of), 900)).rejects.toThrow(message)));
  });

  it("reads no more than the end of a regular file, since the start", async () => {
    expect(await serversSinceStart(state)).toEqual({});
    sh(prepareCommand);
    register(ours());
    execFileSync("mkfifo", [join(state, "logs-fifo")]);
    mkdirSync(join(state, "logs"));
    renameSync(join(state, "logs-fifo"), join(state, "logs/servers.jsonl"));
    expect(await serversSinceStart(state)).toEqual({ web: ours() });
    appendFileSync(join(state, "events/services/events.jsonl"), `${"x".repeat(mostBytes)}\n`);
    expect(await serversSinceStart(state)).toEqual({});
    rmSync(join(state, startNote));
    execFileSync("mkfifo", [join(state, startNote)]);
    expect(await serversSinceStart(state)).toEqual({});
  });

  it("times out, and reports what was missing", async () => {
    sh(prepareCommand);
    await expect(awaited(mngr("WAITING"), 1)).rejects.toThrow(
      "it registered no server within 1 s (start_timeout_seconds)",
    );
    register("http://127.0.0.1:1/");
    await expect(awaited(mngr("WAITING"), 1)).rejects.toThrow(
      "its server at http://127.0.0.1:1/ accepted no connection within 1 s (start_timeout_seconds)",
    );
  });
});
