import type { Agent, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { PublicAddress } from "../addresses.ts";
import type { Agents, AgentView } from "../agents.ts";
import type { Added } from "./added-headers.ts";
import type { Problem, ProblemPage } from "./problem.ts";
import type { Route } from "./route.ts";

export type Pools = Readonly<Record<"http:" | "https:", Agent>>;

/** What all exchanges share. */
export interface Context {
  readonly agents: Agents;
  /** Reused connections. */
  readonly pools: Pools;
  /** Connections for one request each. */
  readonly fresh: Pools;
  readonly headersTimeoutMs: number;
  readonly page: (problem: Problem) => ProblemPage;
  readonly log: (message: string) => void;
  /** WebSockets, which are no longer in any pool. */
  readonly live: Set<{ destroy(): unknown }>;
}

/** The agent accepted the upgrade: its connection no longer carries HTTP. */
export type Upgraded = (incoming: IncomingMessage, upstream: Socket, head: Buffer, route: Route) => void;

/** The destination of a request, derived from its host or path. */
export interface ProxyRequest {
  readonly agent: AgentView;
  /** undefined for the agent's main one. */
  readonly server: string | undefined;
  /** Prefix of the public path: "" in host routing, "/<agent_id>" or "/<agent_id>/<server>" in path routing. */
  readonly prefix: string;
  /** Path and query for the agent, starting with a slash. */
  readonly path: string;
  /** Scheme, host and port in the browser. */
  readonly publicOrigin: string;
  /** undefined to add nothing to the agent's response. */
  readonly added?: Added | undefined;
  /** The browser's address of another server of the agent (undefined for the main one); undefined if it has none. */
  readonly publicAddressOf: (server: string | undefined) => PublicAddress | undefined;
}
