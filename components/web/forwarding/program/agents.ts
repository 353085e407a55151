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
}

export type Target =
  /** Reachable from here; may be a tunnel's loopback address. */
  | { readonly kind: "online"; readonly url: URL }
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
