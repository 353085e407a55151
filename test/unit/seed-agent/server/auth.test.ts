import { expect, test } from "vitest";
import { bearerTokens } from "../../../../components/seed-agent/program/server/auth.ts";

const token = "the-token-of-the-owner";

function attempts(addresses: readonly string[]): readonly string[] {
  const check = bearerTokens({ control: token }, { limit: 2 });
  return addresses.map((address) => {
    try {
      check("control", { authorization: "Bearer wrong", address });
      return "accepted";
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : String(error);
    }
  });
}

test.each([
  ["a host", ["10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"]],
  ["a /64", ["2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::"]],
  ["a /64 whose address is written with ::", ["2001:db8::1", "2001:db8::2:3:4:5", "2001:db8:0:0:9::"]],
  ["this machine", ["::1", "::1", "::1"]],
])("wrong tokens of %s are counted together", (_, addresses) => {
  expect(attempts(addresses)).toEqual(["unauthorized", "unauthorized", "too many attempts"]);
});

test("wrong tokens of different networks are counted separately", () => {
  const addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:1::1", "10.0.0.1", "10.0.0.2"];
  expect(attempts(addresses)).toEqual(addresses.map(() => "unauthorized"));
});
