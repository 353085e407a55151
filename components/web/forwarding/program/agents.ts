/** What the forwarding server knows of its agents. */

export interface AgentView {
  /** `agent-<32 hex>` */
  readonly id: string;
  /** Name of its changeling. */
  readonly name: string;
  readonly provider: string;
  readonly state: "online" | "starting" | "offline";
  /** Names of its servers, in the order in which they registered. */
  readonly servers: readonly string[];
  /** What the fleet file says that it is for. */
  readonly description?: string | undefined;
  /** ISO 8601, UTC: when a person or the agent last said or did something; undefined: nobody knows. */
  readonly lastActivity?: string | undefined;
  /** What was said then, in one line that may be cut short; undefined: it reports nothing. */
  readonly lastMessage?: string | undefined;
}

/** How a server of an agent is reached from here. */
export interface Reach {
  /** Its URL, as its own machine knows it; `http://localhost/` for one that listens on a Unix socket. */
  readonly url: URL;
  /** The Unix socket to connect to instead: the server's own, or the near end of a tunnel. */
  readonly socketPath?: string;
}

/** The server that an agent is opened with: `web`, else the one that registered first. */
export function mainServerOf(names: readonly string[]): string | undefined {
  return names.includes("web") ? "web" : names[0];
}

export type Target =
  /**
   * @property secret by which the agent's servers recognise the forwarding server; undefined: the agent has set none
   * @property ports by the name of a server, the URLs of all that listen on one, as the agent's own machine knows them
   */
  | ({ readonly kind: "online"; readonly secret?: string; readonly ports?: ReadonlyMap<string, URL> } & Reach)
  /** @property page its own `index.html`, from its data */
  | { readonly kind: "offline" | "starting"; readonly reason: string; readonly page?: string };

export interface Agents {
  list(): readonly AgentView[];
  /** @param id of the agent */
  find(id: string): AgentView | undefined;
  /**
   * Where a server of an agent is now; asks mngr when what is known does not answer.
   *
   * @param server undefined: `web`, else the one that registered first
   * @returns undefined when there is no such agent, or it is known to have no such server
   */
  target(id: string, server: string | undefined): Promise<Target | undefined>;
  /** The proxy could not connect: what is known of it is stale. */
  failed(id: string): void;
  /** After `up` or a command of the CLI changed an agent. */
  refresh(): Promise<void>;
  stop(): void;
}
