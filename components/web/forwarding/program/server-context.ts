import type { IncomingMessage } from "node:http";
import type { Log } from "../../../host/log.ts";
import type { Addresses } from "./addresses.ts";
import type { Agents } from "./agents.ts";
import type { Answer } from "./answers.ts";
import type { Audit } from "./audit/audit.ts";
import type { Access } from "./auth/access.ts";
import type { Session } from "./auth/signing.ts";
import type { TrustedProxies } from "./client-address.ts";
import type { Connections } from "./connections.ts";
import type { ProxyRequest } from "./proxy/types.ts";

/** What all parts of the server share. */
export interface ServerContext {
  readonly addresses: Addresses;
  readonly access: Access;
  readonly agents: Agents;
  readonly connections: Connections;
  readonly proxies: TrustedProxies;
  readonly audit: Audit;
  readonly log: Log;
  /** How to invoke `changeling`, for commands on pages. */
  readonly cli: string;
}

export interface IncomingRequest {
  readonly req: IncomingMessage;
  /** Whether it is a WebSocket upgrade. */
  readonly isUpgrade: boolean;
}

/** How to answer a request: with our own response, or by forwarding it to an agent. */
export type Decision = Answer | { readonly session: Session; readonly at: ProxyRequest };
