import type { Agent, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { ServerPlace } from "../addresses.ts";
import type { Agents, AgentView } from "../agents.ts";
import type { Added } from "./added-headers.ts";
import type { Problem, ProblemPage } from "./problem.ts";
import type { Route } from "./rewrite.ts";

export type Pools = Readonly<Record<"http:" | "https:", Agent>>;

/** What all exchanges share. */
export interface Context {
  readonly agents: Agents;
  /** Connections that are used again. */
  readonly pools: Pools;
  /** Connections for one request each. */
  readonly fresh: Pools;
  readonly headersTimeoutMs: number;
  readonly page: (problem: Problem) => ProblemPage;
  readonly log: (message: string) => void;
  /** WebSockets, which belong to no pool any more. */
  readonly live: Set<{ destroy(): unknown }>;
}

/** The agent agreed to switch protocols: what is on its connection is no HTTP any more. */
export type Upgraded = (incoming: IncomingMessage, upstream: Socket, head: Buffer, route: Route) => void;

/** Where a request goes, as the server has read it from the host or the path. */
export interface ProxyRequest {
  readonly agent: AgentView;
  /** Undefined: the agent's main one. */
  readonly server: string | undefined;
  /** Of the public path: "" in host routing, "/<agent_id>" or "/<agent_id>/<server>" in path routing. */
  readonly prefix: string;
  /** Path and query for the agent, starting with a slash. */
  readonly path: string;
  /** Scheme, host and port that the browser sees for this request. */
  readonly publicOrigin: string;
  /** Undefined: nothing is added to the agent's response. */
  readonly added?: Added | undefined;
  /** Where the browser finds another server of the agent (undefined: the main one); undefined: nowhere. */
  readonly placeOf: (server: string | undefined) => ServerPlace | undefined;
}
