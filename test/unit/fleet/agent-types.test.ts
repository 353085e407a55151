import { mkdirSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { AgentTypes, isConversational, readStockTypes, stockTypes } from "../../../components/fleet/agents.ts";
import { crons, Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
const app = sandbox.repo("app");
sandbox.repo("broken");
sandbox.write("home/.mngr/config.toml", 'profile = "abc"\n');
sandbox.write("home/.mngr/profiles/abc/settings.toml", '[agent_types.mine]\nparent_type = "claude"\n');
sandbox.write(
  "home/.mngr/profiles/aside/settings.toml",
  '[agent_types.of-profile]\nparent_type = "mine-not-there"\n[create_templates.careful]\n',
);
sandbox.write("other/config.toml", 'profile = "p"\n');
sandbox.write("other/profiles/p/settings.toml", '[agent_types.of-host-dir]\nparent_type = "command"\n');
sandbox.write("app/.mngr/settings.toml", '[agent_types.of-repo]\nparent_type = "mine"\n[create_templates.quick]\n');
sandbox.write(
  "app/.mngr/settings.local.toml",
  '[agent_types.of-repo]\ncommand = "x"\n[agent_types.loop]\nparent_type = "loop-2"\n[agent_types.loop-2]\nparent_type = "loop"\n',
);
sandbox.write(
  "app/.mng/settings.toml",
  '[agent_types.old]\nparent_type = "code-guardian"\n[agent_types.claude]\ncli_args = []\n',
);
sandbox.write("broken/.mngr/settings.toml", "agent_types = 1\n");
sandbox.write("broken/.mngr/settings.local.toml", "[[[");
mkdirSync(`${sandbox.folder}/broken/.mng/settings.toml`, { recursive: true });
afterAll(() => sandbox[Symbol.dispose]());

const load = (type: string, more = "", context = {}) =>
  sandbox.load(`${more}\n[changelings.a]\nagent_type = "${type}"`, { repo: "app", ...context });

describe("agent types that are known", () => {
  it.each([
    ["claude", true],
    ["fixme-fairy", true],
    ["code-guardian", true],
    ["mine", true],
    ["of-repo", true],
    ["old", true],
    ["loop", false],
  ])("%s, conversational: %s", async (type, conversational) => {
    const { fleet, diagnostics } = await load(type);
    expect(sandbox.words(diagnostics)).toEqual([]);
    expect(fleet?.changelings[0]).toMatchObject({ agentType: type, isConversational: conversational });
  });

  it("those of the fleet's own mngr profile, and not of the person's", async () => {
    expect((await load("of-profile", 'mngr_profile = "aside"')).diagnostics).toEqual([]);
    expect(sandbox.words((await load("mine", 'mngr_profile = "aside"')).diagnostics)).toHaveLength(2);
  });

  it("those of another host dir", async () => {
    const environment = { ...sandbox.environment, MNGR_HOST_DIR: `${sandbox.folder}/other` };
    expect((await load("of-host-dir", "", { environment })).diagnostics).toEqual([]);
    expect(sandbox.words((await load("mine", "", { environment })).diagnostics)[0]).toContain('no agent type "mine"');
  });

  it("for a repository on another machine: an unknown type is only a warning", async () => {
    const { fleet, diagnostics } = await load("of-repo", "", { repo: "https://example.com/a/b.git" });
    expect(crons(fleet)[0]?.isConversational).toBe(false);
    expect(sandbox.words(diagnostics)).toEqual([
      'config.toml:3: warning: changelings.a.agent_type: mngr knows no agent type "of-repo"',
      `→ known here: ${[...new AgentTypes().names(), "mine"].sort().join(", ")}`,
    ]);
  });

  it("errors in mngr's own files are left to mngr", async () => {
    expect((await load("claude", "", { repo: "broken" })).diagnostics).toEqual([]);
  });
});

describe("templates", () => {
  it.each([
    ["quick", "", []],
    ["careful", 'mngr_profile = "aside"', []],
    [
      "quik",
      "",
      [
        'config.toml:4: changelings.a.template: mngr\'s settings have no create template "quik"',
        '→ did you mean template = "quick"?',
      ],
    ],
  ])("%s", async (template, more, diagnostics) => {
    const text = `${more}\n[changelings.a]\nagent_type = "claude"\ntemplate = "${template}"`;
    expect(await sandbox.diagnosticsOf(text, { repo: app })).toEqual(diagnostics);
  });
});

describe("stock types", () => {
  it("are the folders that define one", () => {
    using own = new Sandbox();
    own.write("stock/one/agent_type.toml", '[agent_types.one]\nparent_type = "claude"\n');
    own.write("stock/two/prompt.md", "");
    own.write("stock/file.toml", "");
    expect([...readStockTypes(`${own.folder}/stock`, "agent_type.toml")]).toEqual([["one", "claude"]]);
  });

  it("are all built on a shipped type", () => {
    const types = new AgentTypes();
    for (const name of stockTypes().keys())
      expect([name, ["claude", "command"].includes(types.base(name) ?? "")]).toEqual([name, true]);
  });

  it("talk or end", () => {
    expect(
      ["test-troll", "fixme-fairy", "claude", "todo-ledger", "command", "headless_claude", "unheard-of"].map(
        isConversational,
      ),
    ).toEqual([true, true, true, false, false, false, false]);
  });
});
