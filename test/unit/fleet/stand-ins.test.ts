import { afterAll, describe, expect, it } from "vitest";
import { changelingOf } from "../../../components/cron/from-program.ts";
import { webOf } from "../../../components/web/from-program.ts";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("app", ["trunk"]);
afterAll(() => sandbox[Symbol.dispose]());

/** The diagnostics of a changeling with these lines, without the remedies. */
async function reported(lines: string, { defaults = "" } = {}): Promise<string[]> {
  const text = `[defaults]\nbranch = "trunk"\n${defaults}\n[changelings.fixme-fairy]\n${lines}\n`;
  const problems = await sandbox.diagnosticsOf(text, { repo: "app" });
  return problems.filter((line) => !line.startsWith("→")).map((line) => line.replace(/^config\.toml:/, ""));
}

describe("a value that is wrong", () => {
  it.each([
    ['agent_type = "command"\nagent_args = "true"', 'agent_args: expected a list, found the string "true"'],
    ["settle_seconds = 3600\ntimeout_seconds = 'x'", 'timeout_seconds: expected a number, found the string "x"'],
    ["provider = 'modl'\nallow_unpushed = true\nbuild_args = ['cpu=2']", 'provider: there is no provider "modl"'],
    [
      "provider = 'modal'\nimage = 'pined'\nhistory_depth = 5\nrepo = 'https://example.com/a'",
      'image: there is no image "pined"',
    ],
    ["agent_type = 3", "agent_type: expected a string, found 3"],
    ["branch = 5", "branch: expected a string, found 5"],
  ])("%s is one error, not reported again for its default", async (lines, problem) => {
    expect(await reported(lines)).toEqual([expect.stringContaining(`changelings.fixme-fairy.${problem}`)]);
  });

  it("of a web changeling is one error", async () => {
    const text = "[changelings.chat]\nkind = 'web'\nagent_type = 'command'\nagent_args = 'true'\n";
    expect(await sandbox.diagnosticsOf(text, { repo: "app" })).toEqual([
      'config.toml:4: changelings.chat.agent_args: expected a list, found the string "true"',
      expect.any(String),
    ]);
  });

  it("of [defaults] is one error too, whatever changelings it applies to", async () => {
    expect(await reported('agent_type = "command"', { defaults: "agent_args = 1" })).toEqual([
      "3: defaults.agent_args: expected a list, found 1",
    ]);
    expect(await reported('agent_type = "command"\nagent_args = []', { defaults: "agent_args = 1" })).toEqual([
      "3: defaults.agent_args: expected a list, found 1",
      "5: changelings.fixme-fairy.agent_type: a command agent needs its command",
    ]);
  });

  it("in a list hides no other element, and each is reported at its place", async () => {
    const lines = ["secrets = [", "  'lower',", "  'PATH',", "  'GITHUB_TOKEN',", "  '',", "  'GH_TOKEN',", "]"];
    const wanted = [
      '6: changelings.fixme-fairy.secrets[0]: "lower" is not the name of a variable: capital letters, digits and _',
      "7: changelings.fixme-fairy.secrets[1]: PATH is reserved: it configures the programs that run the agent",
      '9: changelings.fixme-fairy.secrets[3]: "" is not the name of a variable: capital letters, digits and _',
      "10: changelings.fixme-fairy.secrets[4]: GITHUB_TOKEN reaches the agent as GH_TOKEN too, so both can't be listed",
    ];
    expect(await reported(lines.join("\n"))).toEqual(wanted);
    const inDefaults = await reported("", { defaults: lines.join("\n") });
    expect(inDefaults).toEqual(
      wanted.map((line) =>
        line
          .replace(/^\d+/, (at) => String(Number(at) - 2))
          .replace("changelings.fixme-fairy", "defaults")
          // Only what is wrong for some kinds and providers names the changelings that it is wrong for.
          .replace(/(is reserved|can't be listed).*$/, "$& (for fixme-fairy)"),
      ),
    );
    expect(
      await reported("provider = 'modal'\nrepo = 'https://example.com/a'\nbuild_args = [1, 'nonsense=2']"),
    ).toEqual([
      expect.stringContaining("build_args[0]: expected a string, found 1"),
      expect.stringContaining('build_args[1]: the provider "modal" knows no build argument'),
    ]);
  });

  it("in a program is one error", () => {
    const args = Object.fromEntries([["agentArgs", "true"]]);
    expect(() =>
      changelingOf("a", {
        repo: "/a",
        settleSeconds: 3600,
        ...Object.fromEntries([["timeoutSeconds", "x"]]),
        isConversational: true,
      }),
    ).toThrow(/^changeling a: timeoutSeconds: expected a number, found the string "x"[^;]*; write [^;]*$/);
    expect(() => webOf("a", { agentType: "command", ...args })).toThrow(
      /^changeling a: agentArgs: expected a list[^;]*;[^;]*$/,
    );
  });
});
