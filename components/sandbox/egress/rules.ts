import { BlockList, isIP, isIPv4 } from "node:net";

/** The host and port that a program in the sandbox wants to connect to. */
export interface Target {
  /** A name or an address, in lower case and without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `public`: only to a public address. */
export type Permission = "none" | "public" | "any address";

/**
 * @param allowDomains `host`, `*.host` or `host:port`; undefined: every host. Only an entry with a port
 *   permits an address that is not public: its author knows which service listens there.
 */
export function permissionFor({ host, port }: Target, allowDomains: readonly string[] | undefined): Permission {
  if (allowDomains === undefined) return "public";
  const entries = allowDomains.map(parseEntry).filter((entry) => matches(entry.host, host));
  if (entries.some((entry) => entry.port === port)) return "any address";
  return entries.some((entry) => entry.port === undefined) ? "public" : "none";
}

/** Ports of this machine's loopback that are listed, for instance `127.0.0.1:8080`. */
export function loopbackTargets(allowDomains: readonly string[] | undefined): Target[] {
  return (allowDomains ?? [])
    .map(parseEntry)
    .flatMap(({ host, port }) => (port !== undefined && loopbackNames.has(host) ? [{ host, port }] : []));
}

const loopbackNames = new Set(["127.0.0.1", "localhost", "::1"]);

/** Parses `host:port` or `[address]:port`, as in a CONNECT request. */
export function parseTarget(authority: string, defaultPort?: number): Target | undefined {
  const { host, port = defaultPort } = parseEntry(authority);
  if (host === "" || port === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

function parseEntry(text: string): { host: string; port: number | undefined } {
  const [, bracketed, bare = "", port] = /^(?:\[([^\]]*)\]|([^:]*|[^:]*:[^:]*:.*?))(?::(\d+))?$/.exec(text) ?? [];
  const host = (bracketed ?? bare).toLowerCase().replace(/\.$/, "");
  return { host, port: port === undefined ? undefined : Number(port) };
}

function matches(pattern: string, host: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : pattern === host;
}

/** IPv4 addresses that are not on the public internet (IANA's special-purpose registries). */
const special = new BlockList();
for (const [network, prefix] of [
  ...[["0.0.0.0", 8] as const, ["10.0.0.0", 8] as const, ["100.64.0.0", 10] as const, ["127.0.0.0", 8] as const],
  ...[["169.254.0.0", 16] as const, ["172.16.0.0", 12] as const, ["192.0.0.0", 24] as const],
  ...[["192.0.2.0", 24] as const, ["192.168.0.0", 16] as const, ["198.18.0.0", 15] as const],
  ...[
    ["198.51.100.0", 24] as const,
    ["203.0.113.0", 24] as const,
    ["224.0.0.0", 4] as const,
    ["240.0.0.0", 4] as const,
  ],
]) {
  special.addSubnet(network, prefix, "ipv4");
}

/** Of IPv6, only global unicast is public, except for ranges that embed IPv4 addresses or have a special purpose. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");
const special6 = new BlockList();
// Teredo, benchmarks, ORCHID, documentation, 6to4.
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  special6.addSubnet(network, prefix, "ipv6");
}

/**
 * @param ownAddresses of this machine: they are not public to its sandboxes, even if the internet can reach them. An IPv6
 *   address can be written in many ways, so they are compared as numbers
 */
export function isPublicAddress(address: string, ownAddresses: BlockList): boolean {
  // With a zone, such as `%eth0`, an address leads to a network of this machine.
  if (isIP(address) === 0 || address.includes("%")) return false;
  if (ownAddresses.check(address, isIPv4(address) ? "ipv4" : "ipv6")) return false;
  if (isIPv4(address)) return !special.check(address, "ipv4");
  return globalUnicast.check(address, "ipv6") && !special6.check(address, "ipv6");
}
