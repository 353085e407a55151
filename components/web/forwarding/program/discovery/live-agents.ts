import { setTimeout as sleep } from "node:timers/promises";
import { ensureFolder, watchFolder } from "../../../../host/files.ts";
import type { InstallationPaths } from "../../../../host/installation-paths.ts";
import type { Log } from "../../../../host/log.ts";
import { mngrClient } from "../../../../mngr/client.ts";
import { mngrEnvironment } from "../../../../mngr/profile.ts";
import { readRecords, type WebRecord } from "../../../agent/record.ts";
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

/** Delays between queries of mngr, each of which takes seconds of processor time. All in milliseconds. */
export interface Waits {
  /** Between two queries that requests for an agent caused. It doubles after each query without news. */
  readonly onRequest: number;
  readonly onRequestMax: number;
  /** Between two queries while a remote agent is in use. Its files can't be watched. */
  readonly inUse: number;
  /** Between two queries while an agent is starting. */
  readonly starting: number;
  /** Between two queries without any request. */
  readonly idle: number;
  /** After a change of the records. `pulumi up` writes several at a time, and then asks for a query itself. */
  readonly records: number;
  /** How long a request waits for a query. */
  readonly requestTimeout: number;
}

const usualWaits: Waits = {
  onRequest: 3000,
  onRequestMax: 15_000,
  inUse: 60_000,
  starting: 3000,
  idle: 300_000,
  records: 1000,
  requestTimeout: 15_000,
};

export interface Discovery {
  readonly paths: InstallationPaths;
  /** The forwarding server's folder, 0700; by default the installation's. */
  readonly folder?: string;
  /** The environment that mngr and ssh get a part of: see `mngrEnvironment`. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** Addresses that no agent on this machine may register. */
  readonly reserved?: Reserved;
  readonly waits?: Waits;
}

/** Finds the agents of an installation's web changelings from their records, mngr and their servers. */
export function discoverAgents(discovery: Discovery): Agents {
  return new LiveAgents(discovery);
}

class LiveAgents implements Agents {
  readonly #discovery: Discovery;
  readonly #waits: Waits;
  readonly #controller = new AbortController();
  readonly #tunnels;
  readonly #claims;
  readonly #onDemand;
  readonly #endWatch: () => void;
  readonly #agents = new Map<string, KnownAgent>();
  readonly #reported: ReportedOnce;
  #reading: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  readonly #watches: RegistrationWatches;
  #timer: NodeJS.Timeout | undefined;
  #changeTimer: NodeJS.Timeout | undefined;
  #recordsTimer: NodeJS.Timeout | undefined;

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
      this.#recordsTimer ??= setTimeout(() => {
        this.#recordsTimer = undefined;
        if (this.#takeRecords()) void this.refresh();
      }, this.#waits.records);
    });
    this.#takeRecords();
    void this.#read();
  }

  list(): readonly AgentView[] {
    void this.#refreshInBackground();
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
    await Promise.race([this.#checkAgent(agent, server), this.#timeout()]);
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
    clearTimeout(this.#recordsTimer);
    this.#endWatch();
    this.#watches.end();
    this.#controller.abort();
    this.#tunnels.stop();
  }

  #hasStarted(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    void this.refresh().finally(() => {
      agent.isStarted = false;
    });
  }

  /** Checks one agent, and queries mngr if it does not respond. */
  async #checkAgent(agent: KnownAgent, server: string | undefined): Promise<void> {
    if (!agent.isNew) await agent.check();
    if (!agent.isOnline || agent.target(server)?.kind !== "online") await this.#query([agent]);
  }

  /** The present list may be outdated; the next one is current. */
  async #refreshInBackground(): Promise<void> {
    if (performance.now() - this.#refreshedAt < this.#waits.onRequest) return;
    this.#refreshedAt = performance.now();
    const agents = [...this.#agents.values()];
    await Promise.all(agents.filter(({ isOnline }) => isOnline).map((agent) => agent.check()));
    await this.#query(agents.filter(({ isOnline }) => !isOnline));
  }

  async #timeout(): Promise<void> {
    await sleep(this.#waits.requestTimeout, undefined, { ref: false });
  }

  /** Queries mngr for requests. All waiting requests share the query. It is skipped if the last one was very recent. */
  async #query(agents: readonly KnownAgent[]): Promise<void> {
    const due = agents.filter((agent) => this.#pauseLeft(agent) === 0);
    if (this.#reading === undefined && due.length === 0) return;
    for (const agent of due) agent.isAwaited = true;
    await this.#read();
  }

  /** Otherwise nothing queries mngr about a reachable agent, and its new registrations would go unnoticed. */
  #use({ record, queriedAt }: KnownAgent): void {
    if (!this.#watches.has(record) && performance.now() >= queriedAt + this.#waits.inUse) void this.#read();
  }

  /** Called when a local agent's registrations may have changed. */
  #onChange(agent: KnownAgent): void {
    this.#changeTimer ??= setTimeout(() => {
      this.#changeTimer = undefined;
      void this.refresh();
    }, this.#pauseLeft(agent));
  }

  #pauseLeft({ queriedAt, pauseMs = this.#waits.onRequest }: KnownAgent): number {
    return Math.max(0, queriedAt + pauseMs - performance.now());
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#controller.signal.aborted) return;
    this.#takeRecords();
    const before = new Map([...this.#agents.values()].map((agent) => [agent, agent.fingerprint]));
    const groups = Map.groupBy(this.#agents.values(), ({ record }) => mngrKeyOf(record));
    await Promise.all([...groups].map(([key, agents]) => this.#readGroup(key, agents)));
    if (this.#controller.signal.aborted) return;
    this.#tunnels.endUnused();
    this.#reported.reportStates(this.#agents.values());
    for (const agent of this.#agents.values()) this.#noteQuery(agent, before.get(agent));
    this.#watches.findFolders();
    const isStarting = [...this.#agents.values()].some(
      ({ status: { state, silentSince = 0 } }) => state === "starting" && performance.now() - silentSince < startingMs,
    );
    this.#timer = setTimeout(() => void this.#read(), isStarting ? this.#waits.starting : this.#waits.idle);
  }

  /** @param before its fingerprint before mngr was queried */
  #noteQuery(agent: KnownAgent, before: string | undefined): void {
    const { onRequest, onRequestMax } = this.#waits;
    if (agent.fingerprint !== before) agent.pauseMs = onRequest;
    else if (agent.isAwaited) agent.pauseMs = Math.min(onRequestMax, (agent.pauseMs ?? onRequest) * 2);
    agent.isAwaited = false;
    agent.queriedAt = performance.now();
  }

  /** If mngr fails, this only checks whether the servers respond. */
  async #readGroup(key: string, agents: readonly KnownAgent[]): Promise<void> {
    const records = agents.map(({ record }) => record);
    const [first] = records;
    try {
      if (first === undefined) return;
      const env = await mngrEnvironmentOf(first, this.#discovery);
      const mngr = mngrClient(env, this.#controller.signal);
      const { readings, problem } = await readAgents(mngr, records, this.#discovery.env);
      this.#reported.report(`mngr ${key}`, problem ?? "", "mngr reports everything again");
      await Promise.all(agents.map((agent) => agent.update(readings.get(agent.record.agentId))));
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      this.#reported.report(`mngr ${key}`, error instanceof Error ? error.message : String(error), "");
      await Promise.all(agents.map((agent) => agent.update(undefined)));
    }
  }

  /** @returns whether the records have changed. If they can't be read, the agents stay as they are */
  #takeRecords(): boolean {
    const records = this.#readRecords();
    if (records === undefined) return false;
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

  #readRecords(): WebRecord[] | undefined {
    let problem = "";
    try {
      return readRecords(this.#discovery.paths).filter(({ removed }) => !removed);
    } catch (error) {
      problem = `the records of web agents can't be read: ${error instanceof Error ? error.message : error}`;
      return undefined;
    } finally {
      this.#reported.report("records", problem, "the records of web agents can be read again");
    }
  }
}
