import { type Broker, Brokers } from "../egress/broker.ts";
import { type Network, openNetwork } from "./network.ts";

/** The networks of this process's sandboxes. They are opened on demand, and closed when unused for a minute. */
export interface Networks {
  /** @returns the sandbox's network, which stays open until `release` */
  use(id: string, bwrap: string, allowDomains: readonly string[] | undefined): Promise<UsedNetwork>;
  /** The broker of the sandbox's network, also while that is closed. */
  broker(id: string): Broker;
  end(id: string): void;
}

export interface UsedNetwork extends Pick<Network, "nsenter" | "env"> {
  release(): void;
}

const idleMs = 60_000;

interface Entry {
  readonly network: Promise<Network>;
  users: number;
  timer?: NodeJS.Timeout | undefined;
}

export function localNetworks(): Networks {
  const entries = new Map<string, Entry>();
  const brokers = new Brokers();
  const close = (id: string, entry = entries.get(id)) => {
    if (entry === undefined) return;
    if (entries.get(id) === entry) entries.delete(id);
    clearTimeout(entry.timer);
    entry.network.then((network) => network.end()).catch(() => {});
  };
  const use: Networks["use"] = async (id, bwrap, allowDomains) => {
    const known = entries.get(id);
    const entry: Entry = known ?? { network: openNetwork(bwrap, { allowDomains, broker: brokers.of(id) }), users: 0 };
    entries.set(id, entry);
    entry.users += 1;
    clearTimeout(entry.timer);
    try {
      const network = await entry.network;
      if (!network.isOpen()) {
        // Its forwarder was killed.
        close(id, entry);
        return await use(id, bwrap, allowDomains);
      }
      const release = () => {
        entry.users -= 1;
        if (entry.users === 0) entry.timer = setTimeout(() => close(id, entry), idleMs).unref();
      };
      return { nsenter: network.nsenter, env: network.env, release };
    } catch (error) {
      close(id, entry);
      throw error;
    }
  };
  const end = (id: string) => {
    close(id);
    brokers.end(id);
  };
  return { use, broker: (id) => brokers.of(id), end };
}
