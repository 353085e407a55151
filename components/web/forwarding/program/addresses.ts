import type { ForwardingConfig } from "./config.ts";

/** What a request's Host header refers to. */
export type RequestedHost =
  /** The pages, the logins and, with `routing = "path"`, the agents. */
  | { readonly kind: "main" }
  /** Another name of the main origin. It only redirects, so that all cookies belong to one host. */
  | { readonly kind: "alias" }
  /** @property server another server of the agent; undefined for the main one */
  | { readonly kind: "agent"; readonly id: string; readonly server: string | undefined };

/** The server's origins, and what each serves. An origin has the form `scheme://host[:port]`. */
export interface Addresses {
  readonly main: string;
  /** Cookies are sent over https only. */
  readonly isSecure: boolean;
  readonly routing: ForwardingConfig["routing"];
  /** The agent's own origin; the main one with `routing = "path"`. */
  agent(id: string, server: string | undefined): string;
  /**
   * Where a browser finds a server of an agent.
   * @returns undefined if the server's name can't be part of an address
   */
  publicAddressOf(id: string, server: string | undefined): PublicAddress | undefined;
  /** The origins of an agent and its servers, as sources of a content security policy. */
  ownSources(id: string): string;
  /** The host of an agent's own origin, without port. The hosts of its other servers are below it. */
  agentDomain(id: string): string;
  /**
   * @returns the agent whose own origin, or whose server's origin, this is; undefined for any other origin
   */
  ownerOf(origin: string): string | undefined;
  /** @returns undefined for an unknown Host, for instance after DNS rebinding */
  hostOf(host: string | undefined): RequestedHost | undefined;
}

export interface PublicAddress {
  readonly publicOrigin: string;
  /** Prefix of its paths there: "" if it has its own origin. */
  readonly prefix: string;
}

const agentHost = /^(?:([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.)?(agent-[0-9a-f]{32})$/;
const hostLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether a server's name can be the first label of a host name. */
export function isHostLabel(server: string): boolean {
  return hostLabel.test(server);
}

export function isAgentId(id: string): boolean {
  return /^agent-[0-9a-f]{32}$/.test(id);
}

/** @param port the port that it listens on */
export function addressesOf(
  { publicUrl, routing }: Pick<ForwardingConfig, "publicUrl" | "routing">,
  port: number,
): Addresses {
  const main = new URL(publicUrl ?? `http://localhost:${port}`);
  const suffix = `.${main.host}`;
  // Behind a reverse proxy, only the public name is used. Otherwise people may also type the IP address.
  const names = publicUrl === null ? ["127.0.0.1", "[::1]"] : [];
  const aliases = new Set(names.map((name) => new URL(`http://${name}:${port}`).host));
  const scheme = `${main.protocol}//`;
  const hostOf = (header: string | undefined): RequestedHost | undefined => {
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
    publicAddressOf(id, server) {
      const publicOrigin = agent(id, server);
      if (routing === "path") {
        return { publicOrigin, prefix: `/${id}${server === undefined ? "" : `/${encodeURIComponent(server)}`}` };
      }
      return server === undefined || isHostLabel(server) ? { publicOrigin, prefix: "" } : undefined;
    },
    ownSources: (id) => (routing === "path" ? "'self'" : `'self' ${agent(id, undefined)} ${agent(id, "*")}`),
    agentDomain: (id) => `${id}.${main.hostname}`,
    ownerOf(origin) {
      const host = origin.startsWith(scheme) ? hostOf(origin.slice(scheme.length)) : undefined;
      return host?.kind === "agent" ? host.id : undefined;
    },
    hostOf,
  };
}
