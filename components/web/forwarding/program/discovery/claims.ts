import { sep } from "node:path";
import { socketPathOf } from "../../../agent/servers.ts";

/** The forwarding server's own addresses on this machine, which no agent may register. */
export interface Reserved {
  readonly port: number;
  /** The folder with its key and its admin socket. */
  readonly folder: string;
}

/**
 * Records which local agent owns which address. Local agents share one loopback, so two of them can't have the same
 * address. The first agent to register it keeps it until it registers a different one, or ends.
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
   * @returns the reason why a server can't have its address, by server name: a clause for the log
   */
  take(agentId: string, urls: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const wanted = new Map([...urls].map(([name, url]) => [name, addressKey(url)]));
    const kept = new Set(wanted.values());
    for (const [key, holder] of this.#holders) if (holder === agentId && !kept.has(key)) this.#holders.delete(key);
    const refused = new Map<string, string>();
    for (const [name, key] of wanted) {
      const holder = this.#holders.get(key);
      if (this.#isReserved(key)) refused.set(name, "it belongs to the forwarding server");
      else if (holder !== undefined && holder !== agentId) refused.set(name, `it belongs to ${holder}`);
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
