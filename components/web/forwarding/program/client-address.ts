import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** Addresses and ranges (`10.0.0.0/8`) of servers in front, which say in `X-Forwarded-For` who asked them. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /** @throws when one is neither */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const [address = "", bits] = text.split("/", 2);
      const family = familyOf(address);
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  /** Who asks: the last address on the way that is no trusted server's. What stands before it anybody can have written. */
  clientOf({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">): string {
    const forwarded = String(headers["x-forwarded-for"] ?? "").split(",");
    const way = [...forwarded, socket.remoteAddress ?? ""].map(plainAddress).reverse();
    const [last = ""] = way;
    for (const address of way) {
      // Whoever is not written as an address is known by the server that said so.
      if (isIP(address) === 0) break;
      if (!this.#list.check(address, familyOf(address))) return address;
    }
    return last;
  }
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** Without the port that some write behind it, and as IPv4 where it is one. */
function plainAddress(text: string): string {
  const address = text
    .trim()
    .replace(/^\[(.*)\](?::\d+)?$/, "$1")
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1");
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}
