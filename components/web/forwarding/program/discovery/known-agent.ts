import { isLive } from "../../../../mngr/agent-state.ts";
import type { SshAccess } from "../../../../mngr/client.ts";
import type { WebRecord } from "../../../agent/record.ts";
import type { Registered } from "../../../agent/servers.ts";
import { type AgentView, mainServerOf, type Reach, type Target } from "../agents.ts";
import { reachOf, type Tunnels } from "../tunnels.ts";
import type { Claims } from "./claims.ts";
import { accepts } from "./probe.ts";
import type { Reading } from "./read-agents.ts";
import { type Status, statusOf } from "./status.ts";

/** If nothing listens at the remote end of a tunnel, the local end closes a connection within this time (ms). */
const tunnelKeepsMs = 1500;

const beingStarted = { kind: "starting", reason: "it was stopped, and is being started" } as const;

/** One agent: what mngr last reported about it, and whether it responds. */
export class KnownAgent {
  record: WebRecord;
  /** It was never checked. */
  isNew = true;
  /** The known state may be outdated. */
  isStale = false;
  /** When mngr was last asked, by the monotonic clock. */
  lookedAt = Number.NEGATIVE_INFINITY;
  /** Delay after that before a request may ask mngr again; undefined for the shortest one. */
  pauseMs: number | undefined;
  /** A request for this agent waits for the next check. */
  isAwaited = false;
  /** It was stopped, and is starting because of a request. */
  isStarted = false;
  status: Status = { state: "starting", reason: "it has not been checked yet", silentSince: undefined };
  readonly #tunnels: Tunnels;
  readonly #claims: Claims;
  /** By server: why its registration is not used. */
  #refused: ReadonlyMap<string, string> = new Map();
  /** mngr's word for its state. */
  #state: string | undefined;
  #registered: Registered | undefined;
  #page: string | undefined;
  #lastActivity: string | undefined;
  #lastMessage: string | undefined;
  #claimed: string | undefined;
  #ssh: SshAccess | undefined;
  /** By server: how it is reached from here. */
  #reached: ReadonlyMap<string, Reach> = new Map();
  #secret: string | undefined;
  /** URLs by server, of those that listen on a port. */
  #ports: ReadonlyMap<string, URL> = new Map();

  constructor(record: WebRecord, tunnels: Tunnels, claims: Claims) {
    this.record = record;
    this.#tunnels = tunnels;
    this.#claims = claims;
  }

  get isOnline(): boolean {
    return this.status.state === "online";
  }

  /** Stopped together with its machine, as far as mngr reports. */
  get isStopped(): boolean {
    return this.#state === "STOPPED" && !this.isOnline;
  }

  get view(): AgentView {
    const { agentId: id, name, provider, applied } = this.record;
    const state = this.isStarted ? "starting" : this.status.state;
    const servers = [...(this.#registered?.servers.keys() ?? [])];
    const said = { lastActivity: this.#lastActivity, lastMessage: this.#lastMessage };
    return { id, name, provider, state, servers, description: applied?.description, ...said };
  }

  /** Why some of its output is not trusted, each a clause for the log. */
  get doubts(): readonly string[] {
    const { junk = 0, refused = new Map<string, string>() } = this.#registered ?? {};
    return [
      ...(this.#claimed === undefined ? [] : [`claims to be ${this.#claimed}: what it says is ignored`]),
      ...(junk === 0 ? [] : ["has lines among its registrations that are none"]),
      ...[...refused].map(([name, url]) => `registers its server ${name} at ${url}: only its own loopback is accepted`),
      ...[...this.#refused].map(([name, why]) => `registers its server ${name} where it can't be: ${why}`),
    ];
  }

  /** @returns a text that changes when the status does */
  get fingerprint(): string {
    return JSON.stringify([this.status.state, this.#registered?.lines, [...this.#reached.values()]]);
  }

  /**
   * Applies what mngr reported; everything else stays unchanged.
   * @param reading undefined if mngr reported nothing
   */
  async update(reading: Reading | undefined): Promise<void> {
    this.isNew = false;
    this.#state = reading?.state ?? this.#state;
    this.#ssh = reading?.ssh ?? this.#ssh;
    this.#lastActivity = reading?.lastActivity ?? this.#lastActivity;
    this.#registered = reading?.said?.registered ?? this.#registered;
    if (reading !== undefined) this.#claimed = reading.claimed;
    if (reading?.said !== undefined) {
      this.#page = reading.said.page;
      this.#secret = reading.said.secret;
      this.#lastMessage = reading.said.lastMessage;
    }
    await this.look();
  }

  /** Checks whether it responds now. */
  async look(): Promise<void> {
    const [state, registered] = [this.#state, this.#registered];
    // If it does not run, a port that accepts connections is another process's.
    const known = isLive(state) === false ? new Map<string, string>() : (registered?.servers ?? new Map());
    const isHere = this.record.provider === "local";
    this.#ports = new Map([...known].flatMap(([name, url]) => (/^http/.test(url) ? [[name, new URL(url)]] : [])));
    this.#refused = isHere ? this.#claims.take(this.record.agentId, known) : new Map();
    const servers = [...known].filter(([name]) => !this.#refused.has(name));
    const reached = await Promise.all(servers.map(async ([name, url]) => ({ name, ...(await this.#reach(url)) })));
    this.#reached = new Map(reached.flatMap(({ name, reach }) => (reach === undefined ? [] : [[name, reach]])));
    const obstacle = reached.find((each) => each.obstacle !== undefined)?.obstacle;
    const evidence = { state, registered, answers: this.#reached.size > 0, obstacle };
    this.status = statusOf(evidence, this.status, performance.now());
    this.isStale = false;
  }

  /** @returns undefined if it is online and has no such server */
  target(server: string | undefined): Target | undefined {
    const { state, reason } = this.status;
    if (state !== "online") {
      const away = this.isStarted ? beingStarted : { kind: state, reason };
      return this.#page === undefined ? away : { ...away, page: this.#page };
    }
    const servers = this.#registered?.servers ?? new Map<string, string>();
    const name = server ?? mainServerOf([...servers.keys()]);
    if (name === undefined || !servers.has(name)) return undefined;
    const reach = this.#reached.get(name);
    if (reach === undefined) return { kind: "offline", reason: `its server ${name} does not answer` };
    return {
      kind: "online",
      ...reach,
      ports: this.#ports,
      ...(this.#secret === undefined ? {} : { secret: this.#secret }),
    };
  }

  /** @returns how it is reached from here, if something accepts connections there */
  async #reach(url: string): Promise<{ reach?: Reach; obstacle?: string }> {
    if (this.record.provider === "local") {
      const reach = reachOf(new URL(url));
      return (await accepts(reach)) ? { reach } : {};
    }
    if (this.#ssh === undefined) return { obstacle: "mngr does not report how to reach its host" };
    try {
      const reach = await this.#tunnels.reach(this.#ssh, new URL(url));
      return (await accepts(reach, tunnelKeepsMs)) ? { reach } : {};
    } catch (error) {
      return { obstacle: error instanceof Error ? error.message : String(error) };
    }
  }
}
