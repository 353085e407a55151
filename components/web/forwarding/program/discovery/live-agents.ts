import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder, watchFolder } from "../../../../host/files.ts";
import type { InstallationPaths } from "../../../../host/installation-paths.ts";
import type { Log } from "../../../../host/log.ts";
import { mngrClient } from "../../../../mngr/client.ts";
import { mngrEnvironment } from "../../../../mngr/profile.ts";
import { readRecords } from "../../../agent/record.ts";
import type { Agents, AgentView, Target } from "../agents.ts";
import { sshTunnels } from "../tunnels.ts";
import { Claims, type Reserved } from "./claims.ts";
import { KnownAgent } from "./known-agent.ts";
import { mngrEnvironmentOf, mngrKeyOf } from "./mngr-of.ts";
import { OnDemand } from "./on-demand.ts";
import { readAgents } from "./read-agents.ts";
import { RegistrationWatches } from "./registrations.ts";
import { ReportedOnce } from "./reported-once.ts";
import { startingMs } from "./status.ts";

/** Delays between queries of mngr, each of which costs seconds of processor time. All in milliseconds. */
export interface Waits {
  /**
   * Between two queries caused by requests for an agent: the initial delay, and the limit after queries without news.
   */
  readonly asked: number;
  readonly mostAsked: number;
  /** Between two queries while remote agents are in use, whose files can't be watched. */
  readonly used: number;
  /** Between two queries while an agent is starting. */
  readonly starting: number;
  /** Between two queries without any request. */
  readonly idle: number;
  /** How long a request waits for a query. */
  readonly patience: number;
}

const usualWaits: Waits = {
  asked: 3000,
  mostAsked: 15_000,
  used: 60_000,
  starting: 3000,
  idle: 300_000,
  patience: 15_000,
};

export interface Discovery {
  readonly paths: InstallationPaths;
  /** The forwarding server's own, 0700; by default the installation's. */
  readonly folder?: string;
  /** The environment that mngr and ssh get a part of: see `mngrEnvironment`. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** What no agent on this machine may register. */
  readonly reserved?: Reserved;
  readonly waits?: Waits;
}

/** The agents of an installation's web changelings, from their records, mngr and their servers. */
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
  readonly #reported: ReportedOnce;
  #reading: Promise<void> | undefined;
  #glanced = Number.NEGATIVE_INFINITY;
  readonly #watches: RegistrationWatches;
  #timer: NodeJS.Timeout | undefined;
  #changeTimer: NodeJS.Timeout | undefined;

  constructor(discovery: Discovery) {
    this.#discovery = discovery;
    this.#waits = discovery.waits ?? usualWaits;
    this.#watches = new RegistrationWatches(discovery.env, (agent) => this.#onChange(agent));
    this.#reported = new ReportedOnce(discovery.log);
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
    if (agent === undefined) return undefined;
    if (known?.kind === "online") {
      this.#use(agent);
      return known;
    }
    await Promise.race([this.#look(agent, server), this.#patience()]);
    if (agent.isStopped) agent.isStarted = this.#onDemand.start(agent.record);
    return agent.target(server);
  }

  failed(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined || agent.isStale) return;
    agent.isStale = true;
    agent.pauseMs = undefined;
  }

  async refresh(): Promise<void> {
    // A query in progress may have read the state before the change.
    await this.#reading;
    await this.#read();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#changeTimer);
    this.#endWatch();
    this.#watches.end();
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

  /** Checks one agent, and asks mngr if it does not respond. */
  async #look(agent: KnownAgent, server: string | undefined): Promise<void> {
    if (!agent.isNew) await agent.look();
    if (!agent.isOnline || agent.target(server)?.kind !== "online") await this.#ask([agent]);
  }

  /** Refreshes in the background: this list may be outdated, and the next one is current. */
  async #glance(): Promise<void> {
    if (performance.now() - this.#glanced < this.#waits.asked) return;
    this.#glanced = performance.now();
    const agents = [...this.#agents.values()];
    await Promise.all(agents.filter(({ isOnline }) => isOnline).map((agent) => agent.look()));
    await this.#ask(agents.filter(({ isOnline }) => !isOnline));
  }

  async #patience(): Promise<void> {
    await sleep(this.#waits.patience, undefined, { ref: false });
  }

  /** A query for a request. All waiting requests share it, and it is skipped if the last one was very recent. */
  async #ask(agents: readonly KnownAgent[]): Promise<void> {
    const due = agents.filter((agent) => this.#pauseLeft(agent) === 0);
    if (this.#reading === undefined && due.length === 0) return;
    for (const agent of due) agent.isAwaited = true;
    await this.#read();
  }

  /** A reachable agent is not queried otherwise, so new registrations would go unnoticed. */
  #use({ record, lookedAt: observedAt }: KnownAgent): void {
    if (!this.#watches.has(record) && performance.now() >= observedAt + this.#waits.used) void this.#read();
  }

  /** A local agent's registrations may have changed. */
  #onChange(agent: KnownAgent): void {
    this.#changeTimer ??= setTimeout(() => {
      this.#changeTimer = undefined;
      void this.refresh();
    }, this.#pauseLeft(agent));
  }

  #pauseLeft({ lookedAt: observedAt, pauseMs = this.#waits.asked }: KnownAgent): number {
    return Math.max(0, observedAt + pauseMs - performance.now());
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
    const before = new Map([...this.#agents.values()].map((agent) => [agent, agent.fingerprint]));
    const groups = Map.groupBy(this.#agents.values(), ({ record }) => mngrKeyOf(record));
    await Promise.all([...groups].map(([key, agents]) => this.#readGroup(key, agents)));
    if (this.#calledOff.signal.aborted) return;
    this.#tunnels.endUnused();
    this.#reported.tellStates(this.#agents.values());
    for (const agent of this.#agents.values()) this.#noteLook(agent, before.get(agent));
    this.#watches.lookForFolders();
    const isStarting = [...this.#agents.values()].some(
      ({ status: { state, silentSince = 0 } }) => state === "starting" && performance.now() - silentSince < startingMs,
    );
    this.#timer = setTimeout(() => void this.#read(), isStarting ? this.#waits.starting : this.#waits.idle);
  }

  /** @param before its fingerprint before mngr was asked */
  #noteLook(agent: KnownAgent, before: string | undefined): void {
    const { asked, mostAsked } = this.#waits;
    if (agent.fingerprint !== before) agent.pauseMs = asked;
    else if (agent.isAwaited) agent.pauseMs = Math.min(mostAsked, (agent.pauseMs ?? asked) * 2);
    agent.isAwaited = false;
    agent.lookedAt = performance.now();
  }

  /** If mngr fails, only whether the servers respond is updated. */
  async #readGroup(key: string, agents: readonly KnownAgent[]): Promise<void> {
    const records = agents.map(({ record }) => record);
    const [first] = records;
    try {
      if (first === undefined) return;
      const env = await mngrEnvironmentOf(first, this.#discovery);
      const { readings, problem } = await readAgents(mngrClient(env, this.#calledOff.signal), records);
      this.#reported.tell(`mngr ${key}`, problem ?? "", "mngr reports everything again");
      await Promise.all(agents.map((agent) => agent.update(readings.get(agent.record.agentId))));
    } catch (error) {
      if (this.#calledOff.signal.aborted) return;
      this.#reported.tell(`mngr ${key}`, error instanceof Error ? error.message : String(error), "");
      await Promise.all(agents.map((agent) => agent.update(undefined)));
    }
  }

  /** @returns whether the records have changed */
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
    this.#watches.watch(this.#agents.values());
    return JSON.stringify(records) !== before;
  }
}
