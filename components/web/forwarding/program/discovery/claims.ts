import { sep } from "node:path";
import { socketPathOf } from "../../../agent/servers.ts";

/** What of this machine is the forwarding server's own, and no agent's to register. */
export interface Reserved {
  readonly port: number;
  /** With its key and its admin socket. */
  readonly folder: string;
}

/**
 * Which agent of this machine has which address. Its agents share one loopback, so an address that one of them
 * registered is not another's: the first keeps it until it registers another one, or ends.
 */
export class Claims {
  readonly #reserved: Reserved | undefined;
  /** By address: the agent's id. */
  readonly #holders = new Map<string, string>();

  constructor(reserved: Reserved | undefined) {
    this.#reserved = reserved;
  }

  /**
   * Replaces what an agent has by what it registers now.
   *
   * @param urls by the name of the server
   * @returns by the name of the server, why it can't have it: a clause for the log
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

  /** Only these agents are left. */
  keep(agentIds: ReadonlySet<string>): void {
    for (const [key, holder] of this.#holders) if (!agentIds.has(holder)) this.#holders.delete(key);
  }

  #isReserved(key: string): boolean {
    if (this.#reserved === undefined) return false;
    return key === String(this.#reserved.port) || key.startsWith(this.#reserved.folder + sep);
  }
}

/** The port alone: one that listens on all addresses is reached at each of them. */
function addressKey(text: string): string {
  const url = new URL(text);
  return socketPathOf(url) ?? (url.port || (url.protocol === "https:" ? "443" : "80"));
}
