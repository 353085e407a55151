import { Resolver } from "node:dns/promises";
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { messageOf } from "../../../lib/as-error.ts";

export interface DiscoveryOptions {
  /** `DNS_CLUSTER_QUERY`: a full name, such as Fly's `<app>.internal`, or a headless service of Kubernetes. */
  readonly query: string;
  /** The port of every node. */
  readonly port: number;
  /** The address that this node binds. Peers on loopback are accepted only if this is a loopback address, too. */
  readonly host: string;
  readonly resolver?: AddressResolver;
  /** This machine's addresses. */
  readonly ownAddresses?: () => readonly string[];
  /** How long the last known addresses are used while DNS does not answer, in ms. */
  readonly keepMilliseconds?: number;
}

export interface AddressResolver {
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
}

export interface Discovery {
  /** Never rejects: if DNS does not answer, the last known addresses are used for a while. */
  discover(): Promise<Discovered>;
}

export interface Discovered {
  /** `host:port` of the other nodes, IPv6 in brackets, sorted. */
  readonly peers: readonly string[];
  /** This node's own `host:port`, if DNS lists it. */
  readonly own?: string;
  /** Why addresses are missing or were ignored. */
  readonly problem?: string;
}

/** Further addresses are ignored, so that an answer can't make this node call thousands of hosts. */
const maxPeers = 100;
/** DNS' codes for "there are no addresses". Other codes mean that the answer is unknown. */
const none = new Set(["ENODATA", "ENOTFOUND"]);

/** Finds the nodes by the A and AAAA records of one name. */
export function discovery(options: DiscoveryOptions): Discovery {
  const { query, port, host, keepMilliseconds = 60_000 } = options;
  const resolver: AddressResolver = options.resolver ?? new Resolver({ timeout: 2000, tries: 2 });
  const ownAddresses = options.ownAddresses ?? interfaceAddresses;
  const isForeign = foreignAddresses(host);
  const known = {
    A: { addresses: [] as readonly string[], at: 0 },
    AAAA: { addresses: [] as readonly string[], at: 0 },
  };

  async function resolve(
    type: "A" | "AAAA",
  ): Promise<{ readonly addresses: readonly string[]; readonly error?: string }> {
    try {
      const answer = await (type === "A" ? resolver.resolve4(query) : resolver.resolve6(query));
      known[type] = { addresses: answer.filter(type === "A" ? isIPv4 : isIPv6), at: performance.now() };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : messageOf(error);
      if (none.has(code)) known[type] = { addresses: [], at: performance.now() };
      else {
        const isFresh = performance.now() - known[type].at < keepMilliseconds;
        return { addresses: isFresh ? known[type].addresses : [], error: `${type}: ${code}` };
      }
    }
    return known[type];
  }

  return {
    async discover() {
      const answers = await Promise.all([resolve("A"), resolve("AAAA")]);
      const addresses = [...new Set(answers.flatMap((answer) => answer.addresses))].sort();
      const errors = answers.flatMap(({ error }) => error ?? []);
      const refused = addresses.filter(isForeign);
      const own = new Set(ownAddresses());
      const isOwn = (address: string) => own.has(address) || address === host;
      const others = addresses.filter((address) => !refused.includes(address) && !isOwn(address));
      const ownAddress = addresses.find((address) => !refused.includes(address) && isOwn(address));
      const problems = [
        ...(errors.length === 0 ? [] : [`${query} can't be resolved (${errors.join(", ")})`]),
        ...(errors.length > 0 || addresses.length > 0 ? [] : [`${query} has no address`]),
        ...(refused.length === 0 ? [] : [`${query} has addresses that can't be a node's: ${refused.join(", ")}`]),
        ...(others.length <= maxPeers ? [] : [`${query} has ${others.length} addresses; ${maxPeers} are used`]),
      ];
      return {
        peers: others.slice(0, maxPeers).map((address) => withPort(address, port)),
        ...(ownAddress === undefined ? {} : { own: withPort(ownAddress, port) }),
        ...(problems.length === 0 ? {} : { problem: problems.join("; ") }),
      };
    },
  };
}

function withPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}

/**
 * Addresses that can't be a peer's: loopback, link-local (where clouds have their metadata service), multicast and
 * unspecified ones. Someone who controls DNS must not be able to make this node call them.
 */
function foreignAddresses(host: string): (address: string) => boolean {
  const list = new BlockList();
  const subnets = ["0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "fe80::/10", "ff00::/8"];
  const loopback = ["127.0.0.0/8", "::1/128"];
  const add = (subnet: string) => {
    const [network = "", prefix] = subnet.split("/");
    list.addSubnet(network, Number(prefix), isIPv6(network) ? "ipv6" : "ipv4");
  };
  for (const subnet of [...subnets, ...loopback]) add(subnet);
  list.addAddress("::", "ipv6");
  const local = new BlockList();
  local.addSubnet("127.0.0.0", 8, "ipv4");
  local.addAddress("::1", "ipv6");
  const family = (address: string) => (isIPv6(address) ? "ipv6" : "ipv4");
  const isLocal = (address: string) => local.check(address, family(address));
  const bindsLocally = host === "localhost" || ((isIPv4(host) || isIPv6(host)) && isLocal(host));
  return (address) => list.check(address, family(address)) && !(bindsLocally && isLocal(address));
}
