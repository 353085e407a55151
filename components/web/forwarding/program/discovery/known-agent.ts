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

/** When nothing listens at the far end of a tunnel, its near end closes a connection within this time (ms). */
const tunnelKeepsMs = 1500;

const beingStarted = { kind: "starting", reason: "it was stopped, and is being started" } as const;

/** One agent: what mngr said of it last, and whether it answers. */
export class KnownAgent {
  record: WebRecord;
  /** Nobody asked for it yet. */
  isNew = true;
  /** What is known may no longer be so. */
  isStale = false;
  /** When mngr was asked last, by the clock that nobody can set. */
  lookedAt = Number.NEGATIVE_INFINITY;
  /** How soon after that a request may have mngr asked again; undefined: as soon as ever. */
  pauseMs: number | undefined;
  /** The next look is one that a request for this agent wants. */
  isAwaited = false;
  /** It was stopped, and is started because somebody asked for it. */
  isStarted = false;
  status: Status = { state: "starting", reason: "it has not been checked yet", silentSince: undefined };
  readonly #tunnels: Tunnels;
  readonly #claims: Claims;
  /** By server: why it is not used, though it is registered. */
  #refused: ReadonlyMap<string, string> = new Map();
  /** mngr's word for its state. */
  #state: string | undefined;
  #registered: Registered | undefined;
  #page: string | undefined;
  #lastActivity: string | undefined;
  #lastMessage: string | undefined;
  #claimed: string | undefined;
  #ssh: SshAccess | undefined;
  /** By server: where it is reached from here. */
  #reached: ReadonlyMap<string, Reach> = new Map();
  #secret: string | undefined;
  /** By server: its URL, of those that listen on a port. */
  #ports: ReadonlyMap<string, URL> = new Map();

  constructor(record: WebRecord, tunnels: Tunnels, claims: Claims) {
    this.record = record;
    this.#tunnels = tunnels;
    this.#claims = claims;
  }

  get isOnline(): boolean {
    return this.status.state === "online";
  }

  /** With its machine, for all that mngr says. */
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

  /** What of its words is not believed, each a clause about it for the log. */
  get doubts(): readonly string[] {
    const { junk = 0, refused = new Map<string, string>() } = this.#registered ?? {};
    return [
      ...(this.#claimed === undefined ? [] : [`claims to be ${this.#claimed}: what it says is ignored`]),
      ...(junk === 0 ? [] : ["has lines among its registrations that are none"]),
      ...[...refused].map(([name, url]) => `registers its server ${name} at ${url}: only its own loopback is accepted`),
      ...[...this.#refused].map(([name, why]) => `registers its server ${name} where it can't be: ${why}`),
    ];
  }

  /** @returns what a status can be told apart by */
  get fingerprint(): string {
    return JSON.stringify([this.status.state, this.#registered?.lines, [...this.#reached.values()]]);
  }

  /** Takes over what mngr said; what it could not say stays as it was. @param reading undefined: mngr said nothing */
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

  /** Looks whether it answers now. */
  async look(): Promise<void> {
    const [state, registered] = [this.#state, this.#registered];
    // A port that answers is not its own when it does not run.
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

  /** @returns undefined when it is online and has no such server */
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

  /** @returns how it is reached from here, when something accepts connections there */
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
