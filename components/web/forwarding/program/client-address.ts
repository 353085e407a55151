import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** Limit of proxies in a chain. */
const mostHops = 32;

/** Addresses and ranges (`10.0.0.0/8`) of reverse proxies, whose `X-Forwarded-For` is trusted. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /** @throws if a text is neither an address nor a range */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const [address = "", bits] = text.split("/", 2);
      const family = familyOf(address);
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  /** The client: the last address in the chain that is not a trusted proxy. Anything before it can be forged. */
  clientOf({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">): string {
    const connected = plainAddress(socket.remoteAddress ?? "");
    if (!this.#isTrusted(connected)) return connected;
    const forwarded = String(headers["x-forwarded-for"] ?? "").split(",");
    for (const text of forwarded.slice(-mostHops).reverse()) {
      const address = plainAddress(text);
      // A client without a valid address is identified by the proxy that is connected.
      if (isIP(address) === 0) break;
      if (!this.#isTrusted(address)) return address;
    }
    return connected;
  }

  #isTrusted(address: string): boolean {
    return isIP(address) !== 0 && this.#list.check(address, familyOf(address));
  }
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** Strips a port that some proxies add, and converts IPv4-mapped addresses to IPv4. */
function plainAddress(text: string): string {
  const address = text
    .trim()
    .replace(/^\[(.*)\](?::\d+)?$/, "$1")
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1");
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}
