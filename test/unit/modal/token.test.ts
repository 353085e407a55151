import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { modalToken } from "../../../components/modal/token.ts";

let home: string;
const file = (toml: string) => writeFileSync(join(home, ".modal.toml"), toml);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "token-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const stackToken = { id: "ak-stack", secret: "as-stack" };

describe("modalToken", () => {
  it("is the environment's before the stack's before the file's", () => {
    file(`[default]\ntoken_id = "ak-file"\ntoken_secret = "as-file"\n`);
    const env = { HOME: home, MODAL_TOKEN_ID: "ak-env", MODAL_TOKEN_SECRET: "as-env" };
    const input = { CHANGELINGS_MODAL_TOKEN_ID: "ak-input", CHANGELINGS_MODAL_TOKEN_SECRET: "as-input" };
    expect(modalToken(env, stackToken)?.id).toBe("ak-env");
    expect(modalToken({ ...input, HOME: home }, stackToken)?.id).toBe("ak-stack");
    expect(modalToken({ ...input, HOME: home })?.id).toBe("ak-input");
    expect(modalToken({ HOME: home })).toEqual({ id: "ak-file", secret: "as-file" });
  });

  it.each([
    ["the active profile", {}, "ak-two"],
    ["the profile that MODAL_PROFILE names", { MODAL_PROFILE: "one" }, "ak-one"],
    ["none for a profile that is not there", { MODAL_PROFILE: "three" }, undefined],
  ])("is that of %s", (_, env, id) => {
    file(
      `[one]\ntoken_id = "ak-one"\ntoken_secret = "as-one"\n[two]\ntoken_id = "ak-two"\ntoken_secret = "as-two"\nactive = true\n`,
    );
    expect(modalToken({ HOME: home, ...env })?.id).toBe(id);
  });

  it("is found where MODAL_CONFIG_PATH says", () => {
    const path = join(home, "elsewhere.toml");
    writeFileSync(path, `[default]\ntoken_id = "ak-else"\ntoken_secret = "as-else"\n`);
    expect(modalToken({ HOME: home, MODAL_CONFIG_PATH: path })?.id).toBe("ak-else");
  });

  it.each(["", "[default]\ntoken_id = 7\n", "no TOML at all [", "key = 1\n[default]\n"])(
    "is none in a file that holds %j",
    (toml) => {
      file(toml);
      expect(modalToken({ HOME: home })).toBeUndefined();
    },
  );

  it("is not made of halves", () => {
    expect(() => modalToken({ HOME: home, MODAL_TOKEN_ID: "ak-env" })).toThrow(
      "MODAL_TOKEN_ID is set, but MODAL_TOKEN_SECRET is not; set both, or none",
    );
    expect(() => modalToken({ HOME: home, MODAL_TOKEN_SECRET: "as-env" })).toThrow(/^MODAL_TOKEN_SECRET is set/);
  });
});
