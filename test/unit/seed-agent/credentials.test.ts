import { describe, expect, it } from "vitest";
import { credentialsFor, readCredentials } from "../../../components/seed-agent/credentials.ts";

describe("a seed agent's credentials", () => {
  const first = credentialsFor("0", undefined);

  it("are 32 random bytes each", () => {
    for (const value of [first.RELEASE_COOKIE, first.SEED_CONTROL_TOKEN])
      expect(Buffer.from(value, "base64url")).toHaveLength(32);
    expect(first.RELEASE_COOKIE).not.toBe(first.SEED_CONTROL_TOKEN);
    expect(credentialsFor("0", undefined)).not.toEqual(first);
  });

  it("are kept by a later up, and generated again when rotate changes", () => {
    const kept = credentialsFor("0", JSON.stringify(first));
    expect(kept).toEqual(first);
    const rotated = credentialsFor("1", JSON.stringify(first));
    expect(rotated.SEED_CONTROL_TOKEN).not.toBe(first.SEED_CONTROL_TOKEN);
    expect(rotated.RELEASE_COOKIE).not.toBe(first.RELEASE_COOKIE);
    expect(credentialsFor("1", JSON.stringify(rotated))).toEqual(rotated);
  });

  it.each(["", "{", '{"rotate":"0"}', `x${JSON.stringify(first)}`])("are generated again after %j", (former) => {
    expect(credentialsFor("0", former).SEED_CONTROL_TOKEN).not.toBe(first.SEED_CONTROL_TOKEN);
  });

  it("are not quoted by an error", () => {
    expect(() => readCredentials(`x${JSON.stringify(first)}`)).toThrow(/raise its option rotate/);
    expect(() => readCredentials(`x${JSON.stringify(first)}`)).not.toThrow(first.SEED_CONTROL_TOKEN);
    expect(readCredentials(JSON.stringify(first))).toEqual({
      RELEASE_COOKIE: first.RELEASE_COOKIE,
      SEED_CONTROL_TOKEN: first.SEED_CONTROL_TOKEN,
    });
  });
});
