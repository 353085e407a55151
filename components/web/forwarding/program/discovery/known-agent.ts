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

/** One agent: mngr's last report about it, and whether it responds. */
export class KnownAgent {
  record: WebRecord;
  /** It was never checked. */
  isNew = true;
  /** The known state may be outdated. */
  isStale = false;
  /** When mngr was last queried, by the monotonic clock. */
  queriedAt = Number.NEGATIVE_INFINITY;
  /** The delay after that before a request may query mngr again; undefined for the shortest one. */
  pauseMs: number | undefined;
  /** A request for this agent waits for the next check. */
  isAwaited = false;
  /** A request is starting it. */
  isStarted = false;
  status: Status = { state: "starting", reason: "it has not been checked yet", silentSince: undefined };
  readonly #tunnels: Tunnels;
  readonly #claims: Claims;
  /** By server name: why its registration is not used. */
  #refused: ReadonlyMap<string, string> = new Map();
  /** Its state according to mngr. */
  #state: string | undefined;
  #registered: Registered | undefined;
  #page: string | undefined;
  #lastActivity: string | undefined;
  #lastMessage: string | undefined;
  #claimed: string | undefined;
  #ssh: SshAccess | undefined;
  /** By server name: how to reach it from here. */
  #reached: ReadonlyMap<string, Reach> = new Map();
  #secret: string | undefined;
  /** URLs by server name, of servers that listen on a port. */
  #ports: ReadonlyMap<string, URL> = new Map();

  constructor(record: WebRecord, tunnels: Tunnels, claims: Claims) {
    this.record = record;
    this.#tunnels = tunnels;
    this.#claims = claims;
  }

  get isOnline(): boolean {
    return this.status.state === "online";
  }

  /** mngr reports that it is stopped, and it does not respond. */
  get isStopped(): boolean {
    return this.#state === "STOPPED" && !this.isOnline;
  }

  get view(): AgentView {
    const { agentId: id, name, provider, applied } = this.record;
    const state = this.isStarted ? "starting" : this.status.state;
    const servers = [...(this.#registered?.servers.keys() ?? [])];
    const output = { lastActivity: this.#lastActivity, lastMessage: this.#lastMessage };
    return { id, name, provider, state, servers, description: applied?.description, ...output };
  }

  /** Why some of its output is ignored. Each is a clause for the log. */
  get warnings(): readonly string[] {
    const { junk = 0, refused = new Map<string, string>() } = this.#registered ?? {};
    return [
      ...(this.#claimed === undefined ? [] : [`claims to be ${this.#claimed}, so its output is ignored`]),
      ...(junk === 0 ? [] : ["has invalid lines among its registrations"]),
      ...[...refused].map(
        ([name, url]) => `registers its server ${name} at ${url}, but only its own loopback is accepted`,
      ),
      ...[...this.#refused].map(
        ([name, why]) => `registers its server ${name} at an address that it can't have: ${why}`,
      ),
    ];
  }

  /** @returns a text that changes when the status does */
  get fingerprint(): string {
    return JSON.stringify([this.status.state, this.#registered?.lines, [...this.#reached.values()]]);
  }

  /**
   * Takes over what mngr reported, and keeps the rest.
   * @param reading undefined if mngr reported nothing
   */
  async update(reading: Reading | undefined): Promise<void> {
    this.isNew = false;
    this.#state = reading?.state ?? this.#state;
    this.#ssh = reading?.ssh ?? this.#ssh;
    this.#lastActivity = reading?.lastActivity ?? this.#lastActivity;
    this.#registered = reading?.output?.registered ?? this.#registered;
    if (reading !== undefined) this.#claimed = reading.claimed;
    if (reading?.output !== undefined) {
      this.#page = reading.output.page;
      this.#secret = reading.output.secret;
      this.#lastMessage = reading.output.lastMessage;
    }
    await this.check();
  }

  /** Checks whether it responds now. */
  async check(): Promise<void> {
    const [state, registered] = [this.#state, this.#registered];
    // If it does not run, a port that accepts connections belongs to another process.
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

  /** @returns how to reach it from here, if something accepts connections there */
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
