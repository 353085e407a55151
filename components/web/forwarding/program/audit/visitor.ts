import type { IncomingMessage } from "node:http";
import type { TrustedProxies } from "../client-address.ts";

/** The client, according to its own request. */
export interface Visitor {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

const longestUserAgent = 300;

export function visitorOf(req: IncomingMessage, proxies: TrustedProxies): Visitor {
  return { address: proxies.clientOf(req), userAgent: req.headers["user-agent"]?.slice(0, longestUserAgent) };
}

/** Identifies a session in logs, but is too short to derive its cookie from. */
export function sessionLabel(id: string): string {
  return id.slice(0, 8);
}
