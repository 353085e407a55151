import type { ForwardingConfig } from "./config.ts";

/** What a request is for, by its Host header. */
export type Place =
  /** The pages, the logins and, with `routing = "path"`, the agents. */
  | { readonly kind: "main" }
  /** Another name of the main origin: cookies have one home, so it only redirects. */
  | { readonly kind: "alias" }
  /** @property server a further server of the agent; undefined for the one that it is opened with */
  | { readonly kind: "agent"; readonly id: string; readonly server: string | undefined };

/** Which origins there are, and what stands at which. Origins are written `scheme://host[:port]`. */
export interface Addresses {
  readonly main: string;
  /** Cookies are for https alone. */
  readonly isSecure: boolean;
  readonly routing: ForwardingConfig["routing"];
  /** The agent's own origin; the main one with `routing = "path"`. */
  agent(id: string, server: string | undefined): string;
  /** Where a browser finds a server of an agent. @returns undefined for one whose name can't be part of an address */
  placeOfServer(id: string, server: string | undefined): ServerPlace | undefined;
  /** The origins of an agent and its servers, as sources of a content security policy. */
  ownSources(id: string): string;
  /** The host of an agent's own origin, without its port: those of its further servers are below it. */
  agentDomain(id: string): string;
  /** @returns the agent whose own origin this is, or one of whose servers'; undefined for every other origin */
  ownerOf(origin: string): string | undefined;
  /** @returns undefined for a Host that is none of ours, such as that of a DNS rebinding */
  placeOf(host: string | undefined): Place | undefined;
}

export interface ServerPlace {
  readonly publicOrigin: string;
  /** Of its paths there: "" where its origin is its own. */
  readonly prefix: string;
}

const agentHost = /^(?:([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.)?(agent-[0-9a-f]{32})$/;
const hostLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether a server's name can be the first part of a host name. */
export function isHostLabel(server: string): boolean {
  return hostLabel.test(server);
}

export function isAgentId(id: string): boolean {
  return /^agent-[0-9a-f]{32}$/.test(id);
}

/** @param port that it listens on */
export function addressesOf(
  { publicUrl, routing }: Pick<ForwardingConfig, "publicUrl" | "routing">,
  port: number,
): Addresses {
  const main = new URL(publicUrl ?? `http://localhost:${port}`);
  const suffix = `.${main.host}`;
  // A front that terminates TLS knows its own names; without one, people type the address too.
  const names = publicUrl === null ? ["127.0.0.1", "[::1]"] : [];
  const aliases = new Set(names.map((name) => new URL(`http://${name}:${port}`).host));
  const scheme = `${main.protocol}//`;
  const placeOf = (header: string | undefined): Place | undefined => {
    const host = header?.toLowerCase();
    if (host === undefined) return undefined;
    if (host === main.host) return { kind: "main" };
    if (aliases.has(host)) return { kind: "alias" };
    if (routing === "path" || !host.endsWith(suffix)) return undefined;
    const [, server, id] = agentHost.exec(host.slice(0, -suffix.length)) ?? [];
    return id === undefined ? undefined : { kind: "agent", id, server };
  };
  const agent = (id: string, server: string | undefined): string =>
    routing === "path" ? main.origin : `${scheme}${server === undefined ? "" : `${server}.`}${id}${suffix}`;
  return {
    main: main.origin,
    isSecure: main.protocol === "https:",
    routing,
    agent,
    placeOfServer(id, server) {
      const publicOrigin = agent(id, server);
      if (routing === "path") {
        return { publicOrigin, prefix: `/${id}${server === undefined ? "" : `/${encodeURIComponent(server)}`}` };
      }
      return server === undefined || isHostLabel(server) ? { publicOrigin, prefix: "" } : undefined;
    },
    ownSources: (id) => (routing === "path" ? "'self'" : `'self' ${agent(id, undefined)} ${agent(id, "*")}`),
    agentDomain: (id) => `${id}.${main.hostname}`,
    ownerOf(origin) {
      const place = origin.startsWith(scheme) ? placeOf(origin.slice(scheme.length)) : undefined;
      return place?.kind === "agent" ? place.id : undefined;
    },
    placeOf,
  };
}
