import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach } from "vitest";
import { type InstallationPaths, installationPaths } from "../../components/host/installation-paths.ts";
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

export function record(name: string): WebRecord {
  return { version: 1, name, agentId: idOf(name), agentName: name, provider: "local", repo: "/r", data: "/d" };
}

/** What the forwarding server knows about agents, from records and a mngr of each test's own. */
export class AgentsLab {
  home = "";
  paths!: InstallationPaths;
  agents!: Agents;
  log: string[] = [];
  /** What mngr reports, by an agent's id. */
  said: Record<string, { state: string; registered?: object[]; page?: string }> = {};
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
    });
    afterEach(() => {
      this.agents?.stop();
      for (const server of this.#servers.splice(0)) server.close();
      rmSync(this.home, { recursive: true, force: true });
    });
  }

  declare(...names: string[]): void {
    for (const name of names) writeRecord(this.paths, record(name));
  }

  /** Sets what mngr reports from now on. */
  mngrSays(name: string, state: string, ports: Record<string, number> = {}, page?: string): void {
    const registered = Object.entries(ports).map(([server, port]) => ({ server, url: `http://127.0.0.1:${port}` }));
    this.said[idOf(name)] = { state, registered, ...(page === undefined ? {} : { page }) };
    this.writeAnswers();
  }

  /** What `mngr exec` prints. @param agent its name on its own machine @param id the id that it claims */
  result(agent: string, id: string, servers: Record<string, number | string>, page = "", secret = ""): object {
    const registered = Object.entries(servers).map(([server, at]) => ({
      ...{ server, url: typeof at === "string" ? at : `http://127.0.0.1:${at}` },
    }));
    return { agent, stdout: printed(id, registered, page, secret), stderr: "", success: true };
  }

  /** Sets what `mngr exec` reports for all agents, or for one that is requested alone. */
  execSays(results: readonly object[], alone?: string): void {
    const file = alone === undefined ? "exec.json" : `alone-${alone}.json`;
    writeFileSync(join(this.home, file), JSON.stringify({ results, failed_agents: [] }));
  }

  writeAnswers(): void {
    const list = Object.entries(this.said).map(([id, { state }]) => ({ id, name: id, state }));
    writeFileSync(join(this.home, "list.json"), JSON.stringify({ agents: list, errors: [] }));
    const results = Object.entries(this.said).map(([id, { registered = [], page = "" }]) => {
      return { agent: id, stdout: printed(id, registered, page), stderr: "", success: true };
    });
    this.execSays(results);
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

function printed(id: string, registered: readonly object[], page: string, secret = ""): string {
  const lines = registered.map((line) => `${JSON.stringify(line)}\n`).join("");
  const files = `--- events/services/events.jsonl\n\n--- logs/servers.jsonl\n${lines}\n--- logs/agent_server.jsonl\n`;
  return `=== agent ${id}\n\n${files}\n=== secret\n${secret}\n=== page\n${page}`.trimEnd();
}
