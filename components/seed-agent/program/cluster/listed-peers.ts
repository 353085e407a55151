import type { Discovery } from "./discovery.ts";

/**
 * The nodes that `SEED_PEERS` lists. DNS can't be used for several nodes on one machine: they have the same address.
 *
 * @throws if an entry is not `host:port`
 */
export function listedPeers(list: string): Discovery {
  const peers = list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  for (const peer of peers) {
    if (!/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/.test(peer))
      throw new Error(`SEED_PEERS: ${JSON.stringify(peer)} is not valid: write host:port`);
  }
  return { discover: async () => ({ peers: [...new Set(peers)].toSorted() }) };
}
