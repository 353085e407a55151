import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Agent, type Executed, type Mngr, MngrError } from "../../../components/mngr/client.ts";
import { agentFolder, mngrHostDir } from "../../../components/mngr/host-dir.ts";
import { dataFolder, repoFolder } from "../../../components/web/machine/machine-web.ts";
import type { MngrOnMachines } from "../../../components/web/machine/mngr-on-machines.ts";
import { shutDownCommand } from "../../../components/web/modal/modal-machines.ts";
import { portOf } from "../fault-proxy.ts";
import { fillEmpty, noMaintenance } from "../repository.ts";

/** A machine, or this one (`localhost`). Its files are folders below the world's. */
export interface WorldHost {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Volume names by mount path. */
  readonly volumes: Readonly<Record<string, string>>;
  state: "RUNNING" | "STOPPED";
  /** Oldest first. */
  snapshots: { readonly id: string; readonly created_at: string }[];
}

export interface WorldAgent {
  readonly id: string;
  name: string;
  state: "WAITING" | "DONE" | "STOPPED";
  labels: Readonly<Record<string, string>>;
  readonly host: WorldHost;
  /** Where it works, on this machine's disk. */
  readonly folder: string;
  /** The content of its env file. */
  variables: string;
  /** How often it has been started. */
  starts: number;
  server: Server | undefined;
}

/**
 * mngr with its hosts, in this process. An agent is a server that takes connections. Its repo decides how it starts:
 * with a file `broken` in it, it ends at once. Volumes are folders. What is run for an agent runs in a real shell, and git
 * reaches a machine through an `ssh` of its own.
 */
export class MngrWorld {
  readonly agents: WorldAgent[] = [];
  readonly hosts: WorldHost[] = [];
  /** Labels by name; the files are in `volumeFolder(name)`. */
  readonly volumes = new Map<string, Readonly<Record<string, string>>>();
  /** The arguments of every create. */
  readonly creates: (readonly string[])[] = [];
  /** Called before every create. */
  beforeCreate: () => void = () => {};
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
    const bin = join(folder, "bin");
    for (const each of [bin, join(folder, "ssh")]) mkdirSync(each, { recursive: true });
    const ssh = [
      "#!/bin/sh",
      'while [ $# -gt 1 ]; do if [ "$1" = -p ]; then port=$2; fi; shift; done',
      `read -r repo <'${folder}/ssh/'"$port" || exit 255`,
      // git asks for: git-upload-pack '/changeling-repo'
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
      'exec "${1%% *}" "$repo"',
    ];
    writeFileSync(join(bin, "ssh"), `${ssh.join("\n")}\n`);
    chmodSync(join(bin, "ssh"), 0o755);
    this.env = {
      PATH: `${bin}:${process.env["PATH"]}`,
      HOME: folder,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      ...noMaintenance,
    };
  }

  volumeFolder(name: string): string {
    return join(this.#folder, "volumes", name);
  }

  createVolume(name: string, labels: Readonly<Record<string, string>> = {}): void {
    mkdirSync(this.volumeFolder(name), { recursive: true });
    if (!this.volumes.has(name)) this.volumes.set(name, labels);
  }

  /** Ends an agent as if its program had failed. */
  kill(agent: WorldAgent, state: "DONE" | "STOPPED" = "DONE"): void {
    agent.state = state;
    agent.server?.close();
    agent.server = undefined;
  }

  /** Ends a host with everything on it. */
  endHost(host: WorldHost): void {
    host.state = "STOPPED";
    for (const agent of this.agents) if (agent.host === host) this.kill(agent, "STOPPED");
  }

  snapshot(host: WorldHost): string {
    const id = `im-${++this.#count}`;
    host.snapshots.push({ id, created_at: new Date(1_800_000_000_000 + this.#count * 1000).toISOString() });
    return id;
  }

  end(): void {
    for (const agent of this.agents) this.kill(agent);
  }

  /** mngr for the agents of this machine. */
  local(): Mngr {
    const unexpected = () => {
      throw new Error("mngr is asked for something that no web agent needs");
    };
    return {
      checkVersion: async () => {},
      list: async () => ({ agents: this.#listed("local"), isComplete: true }),
      exec: (addresses, command) => this.#exec(addresses, command),
      stop: async (address) => this.#stop(address),
      destroy: async (ids) => {
        for (const id of ids) {
          const agent = this.#find(id);
          if (agent !== undefined) this.#remove(agent);
        }
      },
      capture: async () => "the terminal's last line",
      create: async (args, { file }) => await this.#create(args, file),
      rename: async (address, name) => this.#rename(address, name),
      holds: unexpected,
      closeTerminal: unexpected,
      whyBroken: () => "",
      transcript: unexpected,
      apiFailure: unexpected,
      startCreate: unexpected,
    };
  }

  /** mngr for a provider's agents, each on a machine of its own. */
  onMachines(provider: "docker" | "modal"): MngrOnMachines {
    return {
      env: this.env,
      exec: (addresses, command) => this.#exec(addresses, command),
      capture: async () => "the terminal's last line",
      stop: async (address) => this.#stop(address),
      rename: async (address, name) => this.#rename(address, name),
      create: async (args, { file }) => await this.#create(args, file),
      agents: async () => this.#listed(provider),
      start: async (address) => {
        const agent = this.#get(address);
        agent.host.state = "RUNNING";
        if (agent.state !== "WAITING") await this.#start(agent);
      },
      snapshot: async (address) => this.snapshot(this.#get(address).host),
      forgetSnapshot: async (address, snapshot) => {
        const { host } = this.#get(address);
        host.snapshots = host.snapshots.filter(({ id }) => id !== snapshot);
      },
      destroyHost: async (name) => {
        for (const agent of this.agents.filter(({ host }) => host.name === name)) this.#remove(agent);
        for (const host of this.hosts.filter((each) => each.name === name))
          this.hosts.splice(this.hosts.indexOf(host), 1);
      },
    };
  }

  #listed(provider: string): Agent[] {
    return this.agents
      .filter(({ host }) => host.provider === provider)
      .map(({ id, name, state, labels, host }) => ({
        ...{ id, name, state, labels, plugin: {} },
        host: {
          ...{ id: host.id, name: host.name, provider_name: provider, state: host.state, snapshots: host.snapshots },
          ...(provider !== "local" && host.state === "RUNNING" ? { ssh: this.#sshTo(host) } : {}),
        },
      }));
  }

  #sshTo(host: WorldHost) {
    const port = 20_000 + this.hosts.indexOf(host);
    writeFileSync(join(this.#folder, "ssh", String(port)), `${this.volumeFolder(host.volumes[repoFolder] ?? "")}\n`);
    return { user: "root", host: "machine", port, key_path: "/nowhere/key" };
  }

  /** By id, name, or `ID@HOST_ID.PROVIDER`. */
  #find(address: string): WorldAgent | undefined {
    const [who, host] = address.split("@");
    return this.agents.find((each) => {
      const at = `${each.host.id}.${each.host.provider}`;
      return [each.id, each.name].includes(`${who}`) && (host === undefined || [at, "localhost.local"].includes(host));
    });
  }

  #get(address: string): WorldAgent {
    const agent = this.#find(address);
    if (agent === undefined) throw new MngrError(`mngr failed: Agent not found: ${address}`);
    return agent;
  }

  #remove(agent: WorldAgent): void {
    this.kill(agent);
    this.agents.splice(this.agents.indexOf(agent), 1);
  }

  #rename(address: string, name: string): void {
    const agent = this.#get(address);
    if (this.agents.some((each) => each !== agent && each.host === agent.host && each.name === name))
      throw new MngrError(`mngr rename failed: ${name} already exists`);
    agent.name = name;
  }

  #stop(address: string): void {
    const agent = this.#find(address);
    if (agent !== undefined) this.kill(agent, "STOPPED");
  }

  async #exec(addresses: readonly string[], command: string): Promise<Executed> {
    const [address = ""] = addresses;
    const agent = this.#get(address);
    if (agent.host.state !== "RUNNING") return { results: [], failed: [{ agent: agent.name, error: "it has ended" }] };
    if (command === shutDownCommand) {
      this.snapshot(agent.host);
      this.endHost(agent.host);
      return { results: [], failed: [] };
    }
    // Nothing here registers later, so no test waits as long as the command would.
    return { results: [await this.#sh(agent, command.replace(/-lt \d+/, "-lt 1"))], failed: [] };
  }

  async #sh(agent: WorldAgent, command: string) {
    const within = (path: string) =>
      Object.entries(agent.host.volumes).reduce(
        (each, [mount, name]) => each.replace(mount, this.volumeFolder(name)),
        path,
      );
    const [, memory = "/nowhere"] = /^CHANGELING_MEMORY=["']?([^"'\n]+)/m.exec(agent.variables) ?? [];
    const env = {
      ...this.env,
      HOME: join(this.#folder, "homes", agent.host.id),
      MNGR_AGENT_STATE_DIR: this.#state(agent),
      CHANGELING_MEMORY: within(memory),
    };
    mkdirSync(env.HOME, { recursive: true });
    const child = spawn("sh", ["-c", command], { cwd: agent.folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const [code] = await once(child, "close");
    return { agent: agent.name, stdout, stderr, success: code === 0 };
  }

  #state({ id, host }: WorldAgent): string {
    // An agent of this machine has it where mngr does, since its registrations are read there.
    return host.provider === "local"
      ? agentFolder(mngrHostDir(this.env), id)
      : join(this.#folder, "states", host.id, id);
  }

  async #create(args: readonly string[], file: number) {
    this.creates.push(args);
    this.beforeCreate();
    const values = (name: string) => args.filter((_, at) => args[at - 1] === name);
    const labels = (name: string) => Object.fromEntries(values(name).map((each) => each.split("=", 2)));
    const [, name = "", hostName = "", provider = ""] = /^([^@]+)@(.+)\.([a-z]+)(?::.*)?$/.exec(args[1] ?? "") ?? [];
    const [id = ""] = values("--id");
    const source = values("--from")[0]?.slice(1) ?? "";
    const host = args.includes("--new-host")
      ? this.#newHost(hostName, provider, labels("--host-label"), args)
      : this.#hostFor(hostName, provider);
    const folder = provider === "local" ? source : this.volumeFolder(host.volumes[repoFolder] ?? "");
    if (args.includes("--new-host")) this.#clone(source, folder, values("--branch")[0] ?? "");
    let agent = this.agents.find((each) => each.host === host && each.name === name);
    if (agent !== undefined && agent.id !== id) throw new MngrError(`mngr create failed: ${name} already exists`);
    if (agent === undefined) {
      agent = { id, name, host, folder, state: "STOPPED", labels: {}, variables: "", starts: 0, server: undefined };
      this.agents.push(agent);
    }
    this.kill(agent, "STOPPED");
    agent.labels = labels("--label");
    agent.variables = readFileSync(`/dev/fd/${file}`, "utf8");
    mkdirSync(this.#state(agent), { recursive: true });
    const prepared = await this.#sh(agent, values("--extra-provision-command")[0] ?? "true");
    if (!prepared.success) throw new MngrError(`mngr create failed: ${prepared.stderr}`);
    await this.#start(agent);
    return { kind: "created" as const, agentId: id, hostId: host.id };
  }

  #newHost(name: string, provider: string, hostLabels: Record<string, string>, args: readonly string[]): WorldHost {
    const pairs = (form: RegExp) => args.flatMap((each) => (form.exec(each) ? [form.exec(each)?.slice(1) ?? []] : []));
    const mounts = pairs(/^(?:--)?volume=([^:]+):(.+)$/);
    const volumes = Object.fromEntries(mounts.map(([volume = "", path = ""]) => [path, volume]));
    const ofDocker = pairs(/^--label=([^=]+)=(.*)$/);
    const labels = { ...hostLabels, ...Object.fromEntries(ofDocker.map(([label = "", value = ""]) => [label, value])) };
    const id = `host-${++this.#count}`;
    const host: WorldHost = { id, name, provider, labels, volumes, state: "RUNNING", snapshots: [] };
    for (const volume of [repoFolder, dataFolder]) {
      if (!this.volumes.has(volumes[volume] ?? "")) throw new MngrError(`mngr create failed: no volume for ${volume}`);
    }
    this.hosts.push(host);
    return host;
  }

  #hostFor(name: string, provider: string): WorldHost {
    const found = this.hosts.find((each) => each.name === name && each.provider === provider);
    if (found !== undefined) return found;
    if (provider !== "local") throw new MngrError(`mngr create failed: no host ${name}`);
    const host: WorldHost = { id: "host-0", name, provider, labels: {}, volumes: {}, state: "RUNNING", snapshots: [] };
    this.hosts.push(host);
    return host;
  }

  /** Like mngr: all refs go to the repo that is there, if any, and the branch is checked out over its files. */
  #clone(source: string, folder: string, branch: string): void {
    if (!existsSync(join(source, ".git"))) throw new MngrError(`mngr create failed: ${source} is no repository`);
    const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, env: this.env, stdio: "pipe" });
    if (!existsSync(join(folder, ".git"))) fillEmpty(folder, this.env);
    git("fetch", "--quiet", "--force", "--update-head-ok", source, "+refs/*:refs/*");
    writeFileSync(join(folder, ".git", "HEAD"), `ref: refs/heads/${branch}\n`);
    git("reset", "--quiet", "--hard");
  }

  async #start(agent: WorldAgent): Promise<void> {
    agent.starts += 1;
    if (existsSync(join(agent.folder, "broken"))) {
      agent.state = "DONE";
      return;
    }
    const server = createServer((socket) => socket.end());
    server.unref().listen(0, "127.0.0.1");
    await once(server, "listening");
    const events = join(this.#state(agent), "events/services");
    mkdirSync(events, { recursive: true });
    const url = `http://127.0.0.1:${portOf(server)}`;
    appendFileSync(
      join(events, "events.jsonl"),
      `${JSON.stringify({ type: "service_registered", service: "web", url })}\n`,
    );
    agent.server = server;
    agent.state = "WAITING";
  }
}
