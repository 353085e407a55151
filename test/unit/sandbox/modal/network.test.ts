import { expect, test } from "vitest";
import { modalNetwork } from "../../../../components/sandbox/modal/network.ts";

test.each([
  [undefined, {}],
  [[], { blockNetwork: true }],
  [
    ["github.com", "*.npmjs.org"],
    { outboundDomainAllowlist: ["github.com", "*.npmjs.org"], outboundCidrAllowlist: [] },
  ],
  [
    ["github.com:443", "[2001:db8::1]:443"],
    { outboundDomainAllowlist: ["github.com"], outboundCidrAllowlist: ["2001:db8::1/128"] },
  ],
  [
    ["192.0.2.7", "2001:db8::1"],
    { outboundDomainAllowlist: [], outboundCidrAllowlist: ["192.0.2.7/32", "2001:db8::1/128"] },
  ],
])("%j is %j on Modal", (allowDomains, network) => {
  expect(modalNetwork({ allowDomains })).toEqual(network);
});

test("a port that Modal can't limit is refused, and all are named", () => {
  expect(() => modalNetwork({ allowDomains: ["a.org:22", "b.org", "192.0.2.7:80", "*.c.org:8443"] })).toThrow(
    "Modal can't limit connections to a port: a.org:22, 192.0.2.7:80, *.c.org:8443; write the host alone in allow_domains",
  );
});

test("what is no host is refused, not let through as nothing", () => {
  expect(() => modalNetwork({ allowDomains: ["https://a.org/x"] })).toThrow("https://a.org/x");
});
