import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder, watchFolder } from "../../../../files.ts";
import type { InstallationPaths } from "../../../../installation-paths.ts";
import { mngrClient } from "../../../../mngr/client.ts";
import { mngrEnvironment } from "../../../../mngr/environment.ts";
import type { Log } from "../../../../supervision/log.ts";
import { readRecords } from "../../../record.ts";
import type { Agents, AgentView, Target } from "../agents.ts";
import { sshTunnels } from "../tunnels.ts";
import { Claims, type Reserved } from "./claims.ts";
import { KnownAgent } from "./known-agent.ts";
import { mngrEnvironmentOf, mngrKeyOf } from "./mngr-of.ts";
import { OnDemand } from "./on-demand.ts";
import { readAgents } from "./read-agents.ts";
import { startingMs } from "./status.ts";

/** A look at mngr costs seconds of processor time. All in milliseconds. */
export interface Waits {
  /** Between two looks that requests ask for: at first, and when the last ones showed nothing new. */
  readonly asked: number;
  readonly mostAsked: number;
  /** Between two looks while an agent is starting. */
  readonly starting: number;
  /** Between two looks that nobody asked for. */
  readonly idle: number;
  /** How long a request waits for a look. */
  readonly patience: number;
}

const usualWaits: Waits = { asked: 3000, mostAsked: 15_000, starting: 3000, idle: 300_000, patience: 15_000 };

export interface Discovery {
  readonly paths: InstallationPaths;
  /** The forwarding server's own, 0700; by default the installation's. */
  readonly folder?: string;
  /** What mngr and ssh get to see of it: see `mngrEnvironment`. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** What no agent of this machine may register. */
  readonly reserved?: Reserved;
  readonly waits?: Waits;
}

/** The agents of an installation's web changelings, by their records, as mngr and their servers tell of them. */
export function discoverAgents(discovery: Discovery): Agents {
  return new LiveAgents(discovery);
}

class LiveAgents implements Agents {
  readonly #discovery: Discovery;
  readonly #waits: Waits;
  readonly #calledOff = new AbortController();
  readonly #tunnels;
  readonly #claims;
  readonly #onDemand;
  readonly #endWatch: () => void;
  readonly #agents = new Map<string, KnownAgent>();
  /** Problems and states that the log told of last, by what they are of. */
  readonly #told = new Map<string, string>();
  #reading: Promise<void> | undefined;
  #glanced = Number.NEGATIVE_INFINITY;
  #pause: number;
  /** When the last look ended, by the clock that nobody can set. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(discovery: Discovery) {
    this.#discovery = discovery;
    this.#waits = discovery.waits ?? usualWaits;
    this.#pause = this.#waits.asked;
    this.#claims = new Claims(discovery.reserved);
    this.#tunnels = sshTunnels(mngrEnvironment(discovery.env), discovery.folder ?? discovery.paths.forwarding);
    this.#onDemand = new OnDemand({ ...discovery, onEnd: (id) => this.#hasStarted(id) });
    ensureFolder(discovery.paths.web);
    this.#endWatch = watchFolder(discovery.paths.web, () => {
      if (this.#takeRecords()) void this.refresh();
    });
    this.#takeRecords();
    void this.#read();
  }

  list(): readonly AgentView[] {
    void this.#glance();
    return [...this.#agents.values()].map(({ view }) => view);
  }

  find(id: string): AgentView | undefined {
    return this.#agents.get(id)?.view;
  }

  async target(id: string, server: string | undefined): Promise<Target | undefined> {
    const agent = this.#agents.get(id);
    const known = agent?.isOnline && !agent.isStale ? agent.target(server) : undefined;
    if (agent === undefined || known?.kind === "online") return known;
    await Promise.race([this.#look(agent, server), this.#patience()]);
    if (agent.isStopped) agent.isStarted = this.#onDemand.start(agent.record);
    return agent.target(server);
  }

  failed(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined || agent.isStale) return;
    agent.isStale = true;
    this.#pause = this.#waits.asked;
  }

  async refresh(): Promise<void> {
    // One that is under way may have looked before the change.
    await this.#reading;
    await this.#read();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#endWatch();
    this.#calledOff.abort();
    this.#tunnels.stop();
  }

  #hasStarted(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    void this.refresh().finally(() => {
      agent.isStarted = false;
    });
  }

  /** Looks at one agent, and asks mngr when it does not answer. */
  async #look(agent: KnownAgent, server: string | undefined): Promise<void> {
    if (!agent.isNew) await agent.look();
    if (!agent.isOnline || agent.target(server)?.kind !== "online") await this.#ask();
  }

  /** What is shown may be old: whoever looks again sees more. */
  async #glance(): Promise<void> {
    if (performance.now() - this.#glanced < this.#waits.asked) return;
    this.#glanced = performance.now();
    const agents = [...this.#agents.values()];
    await Promise.all(agents.filter(({ isOnline }) => isOnline).map((agent) => agent.look()));
    if (agents.some(({ isOnline }) => !isOnline)) await this.#ask();
  }

  async #patience(): Promise<void> {
    await sleep(this.#waits.patience, undefined, { ref: false });
  }

  /** A look that a request wants: shared by all that wait, and not taken when the last one was just now. */
  async #ask(): Promise<void> {
    if (this.#reading === undefined && performance.now() < this.#lookedAt + this.#pause) return;
    await this.#read();
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#calledOff.signal.aborted) return;
    this.#takeRecords();
    const before = this.#fingerprint();
    const groups = Map.groupBy(this.#agents.values(), ({ record }) => mngrKeyOf(record));
    await Promise.all([...groups].map(([key, agents]) => this.#readGroup(key, agents)));
    if (this.#calledOff.signal.aborted) return;
    this.#tunnels.endUnused();
    this.#tellStates();
    const isNews = this.#fingerprint() !== before;
    this.#pause = isNews ? this.#waits.asked : Math.min(this.#waits.mostAsked, this.#pause * 2);
    this.#lookedAt = performance.now();
    const isStarting = [...this.#agents.values()].some(
      ({ status: { state, silentSince = 0 } }) => state === "starting" && performance.now() - silentSince < startingMs,
    );
    this.#timer = setTimeout(() => void this.#read(), isStarting ? this.#waits.starting : this.#waits.idle);
  }

  /** An error of mngr changes nothing of what is known but what shows by itself: whether the servers answer. */
  async #readGroup(key: string, agents: readonly KnownAgent[]): Promise<void> {
    const records = agents.map(({ record }) => record);
    const [first] = records;
    try {
      if (first === undefined) return;
      const env = await mngrEnvironmentOf(first, this.#discovery);
      const { readings, problem } = await readAgents(mngrClient(env, this.#calledOff.signal), records);
      this.#tell(`mngr ${key}`, problem ?? "", "mngr tells all again");
      await Promise.all(agents.map((agent) => agent.update(readings.get(agent.record.agentId))));
    } catch (error) {
      if (this.#calledOff.signal.aborted) return;
      this.#tell(`mngr ${key}`, error instanceof Error ? error.message : String(error), "");
      await Promise.all(agents.map((agent) => agent.update(undefined)));
    }
  }

  /** @returns whether they are other ones than before */
  #takeRecords(): boolean {
    const records = readRecords(this.#discovery.paths).filter(({ removed }) => !removed);
    const before = JSON.stringify([...this.#agents.values()].map(({ record }) => record));
    const known = new Map(this.#agents);
    this.#agents.clear();
    for (const record of records) {
      const agent = known.get(record.agentId) ?? new KnownAgent(record, this.#tunnels, this.#claims);
      agent.record = record;
      this.#agents.set(record.agentId, agent);
    }
    this.#claims.keep(new Set(this.#agents.keys()));
    return JSON.stringify(records) !== before;
  }

  #fingerprint(): string {
    return JSON.stringify([...this.#agents].map(([id, { fingerprint }]) => [id, fingerprint]));
  }

  #tellStates(): void {
    for (const { record, status, view, doubts } of this.#agents.values()) {
      const servers = view.servers.join(", ");
      const state = status.state === "online" ? `online (${servers})` : `${status.state}: ${status.reason}`;
      this.#tell(record.agentId, `${record.name} is ${state}`, "");
      this.#tell(`${record.agentId} doubts`, doubts.map((doubt) => `${record.name} ${doubt}`).join("; "), "");
    }
  }

  /** @param about of one thing the log tells once, until it is another @param over what it tells when it is nothing anymore */
  #tell(about: string, what: string, over: string): void {
    const before = this.#told.get(about) ?? "";
    if (before === what) return;
    this.#told.set(about, what);
    const text = what === "" ? over : what;
    if (text !== "") this.#discovery.log(text);
  }
}
