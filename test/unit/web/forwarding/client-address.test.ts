import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { TrustedProxies } from "../../../../components/web/forwarding/program/client-address.ts";

const from = (remoteAddress: string, forwarded?: string) => ({
  socket: Object.defineProperty(new Socket(), "remoteAddress", { value: remoteAddress }),
  headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
});

describe("the client's address", () => {
  const proxies = new TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"]);

  it.each([
    ["203.0.113.7", undefined, "203.0.113.7"],
    ["203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["127.0.0.1", undefined, "127.0.0.1"],
    ["127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["127.0.0.1", "192.0.2.66, 198.51.100.1, 10.1.2.3", "198.51.100.1"],
    ["fd00::1", "[2001:db8::1]:443", "2001:db8::1"],
    ["127.0.0.1", "198.51.100.1:5000", "198.51.100.1"],
    ["127.0.0.1", "198.51.100.1, unknown", "127.0.0.1"],
    ["127.0.0.1", "10.0.0.1", "127.0.0.1"],
  ])("from %s with %j is %s", (address, forwarded, client) => {
    expect(proxies.clientOf(from(address, forwarded))).toBe(client);
  });

  it("is the connection's if no proxy is trusted", () => {
    expect(new TrustedProxies([]).clientOf(from("127.0.0.1", "198.51.100.1"))).toBe("127.0.0.1");
  });
});
