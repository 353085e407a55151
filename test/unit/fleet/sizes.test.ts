import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { changelingOf } from "../../../components/cron/from-program.ts";
import { mostBytes, mostBytesInAll } from "../../../components/fleet/sizes.ts";
import { checkedSize } from "../../../components/secrets/local.ts";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("app");
afterAll(() => sandbox[Symbol.dispose]());

const reported = async (lines: string) =>
  await sandbox.diagnosticsOf(`[changelings.fixme-fairy]\n${lines}\n`, { repo: "app" });

describe("a text that is longer than a program can be started with", () => {
  const remedy = "→ commit it to the agent's repository as a file, and name the file here";

  it.each([
    ["initial_message", `initial_message = "${"x".repeat(131_072)}"`, "131,072"],
    // Two bytes each.
    ["initial_message", `initial_message = "${"ä".repeat(50_001)}"`, "100,002"],
    ["agent_args", `agent_args = ["${"x".repeat(70_000)}", "${"y".repeat(70_000)}"]`, "140,007"],
    ["env", `env = { A = "${"x".repeat(131_072)}" }`, "131,080"],
  ])("is refused: %s", async (option, line, bytes) => {
    const [problem = "", ...rest] = await reported(line);
    // The value may be too long to search the file for it.
    expect(problem.replace(/^config.toml:[12]: /, "")).toBe(
      `changelings.fixme-fairy.${option}: is ${bytes} bytes long; the limit is 100,000 bytes`,
    );
    expect(rest).toEqual([remedy]);
  });

  it("is rejected for all of them together", async () => {
    const part = "x".repeat(90_000);
    expect(await reported(`initial_message = "${part}"\nagent_args = ["${part}"]\nenv = { A = "${part}y" }`)).toEqual([
      "config.toml:4: changelings.fixme-fairy.env: is 270,015 bytes long together with agent_args, initial_message; " +
        "the limit is 250,000 bytes",
      remedy,
    ]);
  });

  it("is refused for a web changeling, and in a program", async () => {
    expect(await reported(`kind = "web"\nagent_type = "chat"\nenv = { A = "${"x".repeat(131_072)}" }`)).toHaveLength(2);
    const watched = Array.from({ length: 7000 }, (_, index) => `"source-${index}"`).join(", ");
    const settings = `kind = "web"\nagent_type = "chat"\nsettings.watchers.watched_event_sources = [${watched}]`;
    expect((await reported(settings))[0]).toContain("settings: is ");
    expect(() => changelingOf("a", { repo: "/a", initialMessage: "x".repeat(131_072) })).toThrow(
      "initialMessage: is 131,072 bytes long",
    );
  });

  it("is refused of secrets, without a word of them", () => {
    const fits = JSON.stringify({ A: "s3cret".repeat(16_000) });
    expect(checkedSize("a", fits)).toBe(fits);
    const refused = () => checkedSize("a", JSON.stringify({ A: "s3cret".repeat(22_000) }));
    expect(refused).toThrow("the secrets of a are 132008 bytes long together, as JSON; the limit is 100000");
    expect(refused).not.toThrow(/s3cret/);
  });

  it("is accepted up to what every program can be started with", async () => {
    const text = "x".repeat(mostBytes);
    expect(await reported(`initial_message = "${text}"`)).toEqual([]);
    const env = Object.fromEntries([0, 1].map((index) => [`SOME_LONG_NAME_${index}`, text]));
    const rest = "x".repeat(mostBytesInAll - 2 * mostBytes);
    const { status, error } = spawnSync("/bin/sh", ["-c", 'test -n "$1"', "sh", rest], { env });
    expect([status, error]).toEqual([0, undefined]);
  });
});
