import { type Network, openNetwork } from "./network.ts";

/** The networks of this process's sandboxes. They are opened on demand, and closed when unused for a minute. */
export interface Networks {
  /** @returns the sandbox's network, which stays open until `release` */
  use(id: string, bwrap: string, allowDomains: readonly string[] | undefined): Promise<UsedNetwork>;
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
  const end = (id: string, entry = entries.get(id)) => {
    if (entry === undefined) return;
    if (entries.get(id) === entry) entries.delete(id);
    clearTimeout(entry.timer);
    entry.network.then((network) => network.end()).catch(() => {});
  };
  const use: Networks["use"] = async (id, bwrap, allowDomains) => {
    const known = entries.get(id);
    const entry: Entry = known ?? { network: openNetwork(bwrap, allowDomains), users: 0 };
    entries.set(id, entry);
    entry.users += 1;
    clearTimeout(entry.timer);
    try {
      const network = await entry.network;
      if (!network.isOpen()) {
        // Its forwarder was killed.
        end(id, entry);
        return await use(id, bwrap, allowDomains);
      }
      const release = () => {
        entry.users -= 1;
        if (entry.users === 0) entry.timer = setTimeout(() => end(id, entry), idleMs).unref();
      };
      return { nsenter: network.nsenter, env: network.env, release };
    } catch (error) {
      end(id, entry);
      throw error;
    }
  };
  return { use, end };
}
