import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { DeclaredWeb } from "../../../components/web/declared.ts";
import { webSettings } from "../../../components/web/settings.ts";
import { Sandbox, usualSettings, webs } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
const source = sandbox.repo("agent", ["main", "develop"]);
const spoken = sandbox.repo("spoken");
sandbox.write("spoken/.mngr/settings.toml", '[create_templates.entrypoint]\ntype = "claude"\n');
const older = sandbox.repo("older");
sandbox.write("older/.mng/settings.toml", '[create_templates.entrypoint]\nagent_type = "elena-code"\n');
const own = sandbox.repo("own");
sandbox.write(
  "own/.mngr/settings.toml",
  '[agent_types.mine]\nparent_type = "claude"\n[create_templates.entrypoint]\ntype = "mine"\n',
);
const bare = join(sandbox.folder, "bare.git");
sandbox.git("init", "--quiet", "--bare", bare);
sandbox.write("notes/style.md", "");
mkdirSync(join(sandbox.home, "pictures"));
afterAll(() => sandbox[Symbol.dispose]());

const chat: DeclaredWeb = {
  name: "chat",
  kind: "web",
  provider: "local",
  source: undefined,
  branch: "main",
  agentType: "chat",
  needsModelKey: false,
  enabled: true,
  addPaths: [],
  secrets: ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"],
  secretsAreExplicit: false,
  requiredSecrets: [],
  env: {},
  data: undefined,
  destroyData: false,
  remote: undefined,
  memoryInGit: false,
  settings: undefined,
  startTimeoutSeconds: 60,
  agentArgs: [],
  buildArgs: [],
  description: undefined,
  renamedFrom: undefined,
};

async function websOf(text: string): Promise<DeclaredWeb[]> {
  const { fleet, diagnostics } = await sandbox.load(text);
  expect(sandbox.words(diagnostics)).toEqual([]);
  return webs(fleet);
}

describe("a web changeling", () => {
  it("only needs a name and its kind", async () => {
    const { fleet, diagnostics } = await sandbox.load('[changelings.chat]\nkind = "web"\n', { ci: true });
    expect(diagnostics).toEqual([]);
    expect(fleet).toEqual({
      file: sandbox.file,
      mngrProfile: undefined,
      changelings: [chat],
      settings: usualSettings,
    });
  });

  it("has all its options, with absolute paths", async () => {
    const text = `
      [changelings.elena]
      kind = "web"
      description = "Answers"
      source = "agent"
      branch = "develop"
      agent_type = "claude"
      enabled = false
      add_paths = ["~/pictures:static/", "notes/style.md:docs/./style.md"]
      secrets = ["A", "B", "A"]
      env = { C = "1" }
      data = "~/elena/"
      destroy_data = true
      remote = "bare.git"
      memory_in_git = true
      start_timeout_seconds = 5
      agent_args = ["--model", "opus"]
      renamed_from = "helena"
      settings.chat.context.max_content_length = 1
    `;
    expect(await websOf(text)).toEqual([
      {
        ...chat,
        name: "elena",
        description: "Answers",
        source,
        branch: "develop",
        agentType: "claude",
        needsModelKey: true,
        enabled: false,
        addPaths: [
          { from: join(sandbox.home, "pictures"), to: "static/pictures" },
          { from: join(sandbox.folder, "notes/style.md"), to: "docs/style.md" },
        ],
        secrets: ["A", "B"],
        secretsAreExplicit: true,
        requiredSecrets: [["A"], ["B"]],
        env: { C: "1" },
        data: join(sandbox.home, "elena"),
        destroyData: true,
        remote: bare,
        memoryInGit: true,
        startTimeoutSeconds: 5,
        agentArgs: ["--model", "opus"],
        renamedFrom: "helena",
        settings: webSettings.parse({ chat: { context: { max_content_length: 1 } } }),
      },
    ]);
  });

  it.each(["docker", "modal"])(
    "on %s has its data on a volume, build arguments, and pushes over https",
    async (provider) => {
      const [web] = await websOf(
        `[changelings.chat]\nkind = "web"\nprovider = "${provider}"\ndata = "chat-data"\nremote = "git@github.com:me/chat.git"\nbuild_args = ["cpu=2", "file=Dockerfile"]`,
      );
      expect(web).toEqual({
        ...chat,
        provider,
        data: "chat-data",
        remote: "https://github.com/me/chat.git",
        buildArgs: ["cpu=2", "file=Dockerfile"],
      });
    },
  );

  it.each([
    ["source = 'agent'", source, undefined, false],
    ["source = 'agent'\nagent_type = 'chat'", source, "chat", false],
    ["source = 'spoken'", spoken, undefined, true],
    ["source = 'older'", older, undefined, true],
    ["source = 'own'", own, undefined, true],
    ["source = 'own'\nagent_type = 'mine'", own, "mine", true],
    ["source = 'https://example.com/me/agent'", "https://example.com/me/agent", undefined, false],
    ["agent_type = 'elena-code'", undefined, "elena-code", true],
    ["agent_type = 'claude'", undefined, "claude", true],
    ["agent_type = 'command'\nagent_args = ['./serve']", undefined, "command", false],
  ])("%s: what it is made of, and whether it needs a key", async (lines, from, agentType, needsModelKey) => {
    expect(await websOf(`[changelings.a]\nkind = "web"\n${lines}`)).toEqual([
      {
        ...{ ...chat, name: "a", source: from, agentType, needsModelKey, agentArgs: expect.any(Array) },
        requiredSecrets: needsModelKey ? [["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]] : [],
      },
    ]);
  });
});

describe("a fleet of both kinds", () => {
  it("ignores defaults for the other kind", async () => {
    const { fleet, diagnostics } = await sandbox.load(`
      [defaults]
      repo = "agent"
      branch = "develop"
      timeout_seconds = 1800
      start_timeout_seconds = 30
      memory_in_git = true
      [changelings.chat]
      kind = "web"
      [changelings.fixme-fairy]
      [changelings.other]
      kind = "web"
      source = "agent"
    `);
    expect(sandbox.words(diagnostics)).toEqual([]);
    expect(fleet?.changelings).toEqual([
      { ...chat, startTimeoutSeconds: 30, memoryInGit: true },
      expect.objectContaining({ kind: "cron", repo: source, branch: "develop", timeoutSeconds: 1800 }),
      {
        ...chat,
        name: "other",
        agentType: undefined,
        source,
        branch: "develop",
        startTimeoutSeconds: 30,
        memoryInGit: true,
      },
    ]);
  });

  it("has a default kind", async () => {
    const { fleet } = await sandbox.load(`
      [defaults]
      kind = "web"
      [changelings.chat]
      [changelings.fixme-fairy]
      kind = "cron"
      repo = "agent"
    `);
    expect(fleet?.changelings.map(({ name, kind }) => [name, kind])).toEqual([
      ["chat", "web"],
      ["fixme-fairy", "cron"],
    ]);
  });
});
