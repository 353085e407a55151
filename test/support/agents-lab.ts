import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach } from "vitest";
import { readTextIfAny } from "../../components/host/files.ts";
import { type InstallationPaths, installationPaths } from "../../components/host/installation-paths.ts";
import type { SshAccess } from "../../components/mngr/client.ts";
import { type WebRecord, writeRecord } from "../../components/web/agent/record.ts";
import type { Agents } from "../../components/web/forwarding/program/agents.ts";
import type { Reserved } from "../../components/web/forwarding/program/discovery/claims.ts";
import { discoverAgents, type Waits } from "../../components/web/forwarding/program/discovery/live-agents.ts";

/** Prints what the test recorded for `list` and for `exec`, and records the call. */
const fakeMngr = `#!/bin/sh
echo "$*" | cut -c 1-200 >>"$HOME/calls"
if [ -e "$HOME/hang" ]; then sleep 600 & echo "$$ $!" >>"$HOME/pids"; wait; fi
for address in $*; do case $address in *@*) if grep -q "\${address%@*}" "$HOME/gone" 2>/dev/null
then echo "Error: Agent not found: No agent(s) found matching: $address" >&2; exit 8; fi;; esac; done
answer="$HOME/$1.json"
case $3 in *@*) ;; *) [ ! -e "$HOME/alone-\${2%@*}.json" ] || answer="$HOME/alone-\${2%@*}.json";; esac
cat "$answer" && exit "$(cat "$HOME/$1.code" 2>/dev/null || echo 0)"
`;

const waits: Waits = {
  onRequest: 20,
  onRequestMax: 20,
  inUse: 600_000,
  starting: 50,
  idle: 600_000,
  records: 20,
  requestTimeout: 10_000,
};

export const idOf = (name: string) => `agent-${Buffer.from(name).toString("hex").padEnd(32, "0")}`;

/** @param data of a local agent: a folder */
export function record(name: string, data = "/d"): WebRecord {
  return { version: 1, name, agentId: idOf(name), agentName: name, provider: "local", repo: "/r", data };
}

/** The record of an agent with its own machine, `host-1`. */
export function recordAway(name: string, provider: "docker" | "modal" = "docker"): WebRecord {
  return { ...record(name), provider, hostAddress: `${idOf(name)}@host-1.${provider}` };
}

interface Said {
  readonly state: string;
  readonly registered?: object[];
  readonly page?: string;
}

/**
 * What the forwarding server knows about agents, from each test's own records, a mngr and, of agents on this machine,
 * files.
 */
export class AgentsLab {
  home = "";
  paths!: InstallationPaths;
  agents!: Agents;
  log: string[] = [];
  /** What mngr and the agents report, by an agent's id. */
  said: Record<string, Said> = {};
  /** How mngr reaches the agents on other machines. */
  ssh: SshAccess | undefined;
  /** By agent id. */
  readonly #away = new Map<string, WebRecord>();
  readonly #servers: Server[] = [];

  constructor() {
    beforeEach(() => {
      this.home = mkdtempSync(join(tmpdir(), "agents-"));
      this.paths = installationPaths("test", this.home);
      mkdirSync(join(this.home, "bin"));
      writeFileSync(join(this.home, "bin", "mngr"), fakeMngr);
      chmodSync(join(this.home, "bin", "mngr"), 0o755);
      this.log = [];
      this.said = {};
      this.ssh = undefined;
      this.#away.clear();
    });
    afterEach(() => {
      this.agents?.stop();
      for (const server of this.#servers.splice(0)) server.close();
      rmSync(this.home, { recursive: true, force: true });
    });
  }

  declare(...names: string[]): void {
    for (const name of names) writeRecord(this.paths, record(name, this.dataOf(name)));
  }

  /** Agents on another machine. */
  declareAway(names: readonly string[], provider?: "docker" | "modal"): void {
    for (const name of names) {
      this.#away.set(idOf(name), recordAway(name, provider));
      writeRecord(this.paths, recordAway(name, provider));
    }
  }

  /** mngr's folder of an agent on this machine. */
  folderOf(name: string): string {
    return join(this.home, ".mngr", "agents", idOf(name));
  }

  dataOf(name: string): string {
    return join(this.home, "data", idOf(name));
  }

  /** The system does not report changes of an agent's registrations. */
  hideRegistrations(name: string): void {
    const [folder, aside] = [join(this.folderOf(name), "logs"), join(this.home, `${idOf(name)}.jsonl`)];
    mkdirSync(folder, { recursive: true });
    writeFileSync(aside, "");
    symlinkSync(aside, join(folder, "servers.jsonl"));
  }

  /** Sets what mngr and the agent report from now on. */
  mngrSays(name: string, state: string, servers: Record<string, number | string> = {}, page?: string): void {
    const registered = registrationsOf(servers);
    this.said[idOf(name)] = { state, registered, ...(page === undefined ? {} : { page }) };
    mkdirSync(this.folderOf(name), { recursive: true });
    this.writeAnswers();
  }

  /** What `mngr exec` prints. @param agent its name on its own machine @param id the id that it claims */
  result(agent: string, id: string, servers: Record<string, number | string>, page = ""): object {
    return { agent, stdout: printed(id, registrationsOf(servers), page), stderr: "", success: true };
  }

  /** Sets what `mngr exec` reports for all agents on other machines, or for one that is requested alone. */
  execSays(results: readonly object[], alone?: string): void {
    const file = alone === undefined ? "exec.json" : `alone-${alone}.json`;
    writeFileSync(join(this.home, file), JSON.stringify({ results, failed_agents: [] }));
  }

  writeAnswers(): void {
    const list = Object.entries(this.said).map(([id, { state }]) => {
      const { provider } = this.#away.get(id) ?? {};
      const host = { id: "host-1", provider_name: provider, ...(this.ssh && { ssh: this.ssh }) };
      return { id, name: id, state, ...(provider === undefined ? {} : { host }) };
    });
    writeFileSync(join(this.home, "list.json"), JSON.stringify({ agents: list, errors: [] }));
    const isAway = ([id]: readonly [string, Said]) => this.#away.has(id);
    const results = Object.entries(this.said)
      .filter(isAway)
      .map(([id, { registered = [], page = "" }]) => {
        return { agent: id, stdout: printed(id, registered, page), stderr: "", success: true };
      });
    this.execSays(results);
    for (const entry of Object.entries(this.said)) if (!isAway(entry)) this.#writeFiles(...entry);
  }

  #writeFiles(id: string, { registered = [], page = "" }: Said): void {
    writeIfOther(join(this.home, ".mngr", "agents", id, "logs", "servers.jsonl"), linesOf(registered));
    writeIfOther(join(this.home, "data", id, "index.html"), page);
  }

  async start(own: Partial<Waits> = {}, reserved?: Reserved): Promise<void> {
    const { home, paths } = this;
    const env = { PATH: `${join(home, "bin")}:${process.env["PATH"]}`, HOME: home };
    const log = (line: string) => void this.log.push(line);
    this.agents = discoverAgents({ paths, env, log, waits: { ...waits, ...own }, ...(reserved && { reserved }) });
    await this.agents.refresh();
  }

  /** A server of an agent that never responds. */
  async listen(): Promise<{ port: number; close: () => Promise<void> }> {
    const server = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#servers.push(server);
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
    return { port: (server.address() as AddressInfo).port, close };
  }

  /** How many calls to mngr begin with these arguments. */
  calls(what: string): number {
    const lines = readFileSync(join(this.home, "calls"), "utf8").split("\n");
    return lines.filter((line) => line.startsWith(what)).length;
  }

  states(): Record<string, string> {
    return Object.fromEntries(this.agents.list().map(({ name, state }) => [name, state]));
  }

  async eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; !(await isSo()); tries += 1) {
      if (tries === 200) throw new Error(`not within 10 s: ${what}; the log: ${this.log.join("; ")}`);
      await sleep(50);
    }
  }
}

/** @param servers ports or URLs by name */
function registrationsOf(servers: Record<string, number | string>): object[] {
  return Object.entries(servers).map(([server, at]) => {
    return { server, url: typeof at === "string" ? at : `http://127.0.0.1:${at}` };
  });
}

function printed(id: string, registered: readonly object[], page: string): string {
  const files = `--- events/services/events.jsonl\n\n--- logs/servers.jsonl\n${linesOf(registered)}\n--- logs/agent_server.jsonl\n`;
  return `=== agent ${id}\n\n${files}\n=== secret\n\n=== page\n${page}`.trimEnd();
}

function linesOf(registered: readonly object[]): string {
  return registered.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** Otherwise nothing changes, not even its time. */
function writeIfOther(path: string, text: string): void {
  if ((readTextIfAny(path) ?? "") === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
