import { expect, it } from "vitest";
import { reasonOf } from "../../../../components/sandbox/runtimes/run-cli.ts";

it("redacts the environment's values in a reason, and keeps it to one plain line", () => {
  const key = "sk-ant-0123456789";
  const text = `\u001b[31mthe key ${key} is bad\u001b[0m\nalso in base64: ${Buffer.from(key).toString("base64")}`;
  const reason = reasonOf(text, { ANTHROPIC_API_KEY: key, LANG: "C" });
  expect(reason).toMatch(/^the key \*\*\* is bad also in base64: \*\*\*=?$/);
});

it("keeps the start and the end of a long reason", () => {
  const reason = reasonOf(`begin ${"x".repeat(100_000)} end`, {});
  expect(reason.length).toBeLessThan(1100);
  expect(reason).toMatch(/^begin .* … .* end$/);
});
