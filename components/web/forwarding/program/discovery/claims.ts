import { sep } from "node:path";
import { socketPathOf } from "../../../agent/servers.ts";

/** What belongs to the forwarding server on this machine, and no agent may register. */
export interface Reserved {
  readonly port: number;
  /** The folder with its key and its admin socket. */
  readonly folder: string;
}

/**
 * Which agent on this machine owns which address. Agents here share one loopback, so an address that one agent
 * registered can't belong to another. The first agent keeps it until it registers a different address, or ends.
 */
export class Claims {
  readonly #reserved: Reserved | undefined;
  /** Agent ids by address. */
  readonly #holders = new Map<string, string>();

  constructor(reserved: Reserved | undefined) {
    this.#reserved = reserved;
  }

  /**
   * Replaces an agent's claims with its current registrations.
   *
   * @param urls by server name
   * @returns why a server can't have its address, by server name: a clause for the log
   */
  take(agentId: string, urls: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const wanted = new Map([...urls].map(([name, url]) => [name, addressKey(url)]));
    const kept = new Set(wanted.values());
    for (const [key, holder] of this.#holders) if (holder === agentId && !kept.has(key)) this.#holders.delete(key);
    const refused = new Map<string, string>();
    for (const [name, key] of wanted) {
      const holder = this.#holders.get(key);
      if (this.#isReserved(key)) refused.set(name, "that is the forwarding server's own");
      else if (holder !== undefined && holder !== agentId) refused.set(name, `${holder} has it`);
      else this.#holders.set(key, agentId);
    }
    return refused;
  }

  /** Drops the claims of all other agents. */
  keep(agentIds: ReadonlySet<string>): void {
    for (const [key, holder] of this.#holders) if (!agentIds.has(holder)) this.#holders.delete(key);
  }

  #isReserved(key: string): boolean {
    if (this.#reserved === undefined) return false;
    return key === String(this.#reserved.port) || key.startsWith(this.#reserved.folder + sep);
  }
}

/** Only the port counts, because a server that listens on all addresses is reached at each of them. */
function addressKey(text: string): string {
  const url = new URL(text);
  return socketPathOf(url) ?? (url.port || (url.protocol === "https:" ? "443" : "80"));
}
