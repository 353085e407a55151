/** What the forwarding server knows about its agents. */

export interface AgentView {
  /** `agent-<32 hex>` */
  readonly id: string;
  /** Name of its changeling. */
  readonly name: string;
  readonly provider: string;
  readonly state: "online" | "starting" | "offline";
  /** Names of its servers, in order of registration. */
  readonly servers: readonly string[];
  /** Its description in the fleet file. */
  readonly description?: string | undefined;
  /** ISO 8601, UTC: when a user or the agent was last active; undefined if unknown. */
  readonly lastActivity?: string | undefined;
  /** The last message, on one line that may be truncated; undefined if it reports none. */
  readonly lastMessage?: string | undefined;
}

/** How to reach a server of an agent from here. */
export interface Reach {
  /** Its URL on its own machine; `http://localhost/` if it listens on a Unix socket. */
  readonly url: URL;
  /** The Unix socket to connect to instead: the server's own, or the local end of a tunnel. */
  readonly socketPath?: string;
}

/** The main server of an agent: `web`, else the first one that registered. */
export function mainServerOf(names: readonly string[]): string | undefined {
  return names.includes("web") ? "web" : names[0];
}

export type Target =
  /**
   * @property secret proves to the agent's servers that a request comes from the forwarding server; undefined if the
   * agent has set none
   * @property ports URLs by server name of all servers that listen on a port, as seen from the agent's own machine
   */
  | ({ readonly kind: "online"; readonly secret?: string; readonly ports?: ReadonlyMap<string, URL> } & Reach)
  /** @property page the agent's own `index.html`, from its data */
  | { readonly kind: "offline" | "starting"; readonly reason: string; readonly page?: string };

export interface Agents {
  list(): readonly AgentView[];
  /** @param id the agent's */
  find(id: string): AgentView | undefined;
  /**
   * Where a server of an agent is now. Asks mngr if the known address does not respond.
   *
   * @param server undefined for `web`, else the first one that registered
   * @returns undefined if there is no such agent, or it is known to have no such server
   */
  target(id: string, server: string | undefined): Promise<Target | undefined>;
  /** Called when the proxy could not connect, so that the known state is checked again. */
  failed(id: string): void;
  /** Called after `up` or a CLI command changed an agent. */
  refresh(): Promise<void>;
  stop(): void;
}
