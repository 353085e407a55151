import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadFleet } from "../../../components/kinds.ts";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const token = `ghp_${"a1B2".repeat(9)}`;

describe("a file that can't be read", () => {
  it("is missing: the remedy says how to begin", async () => {
    using sandbox = new Sandbox();
    const { fleet, diagnostics } = await loadFleet({ file: sandbox.file, context: sandbox.context() });
    expect(fleet).toBeUndefined();
    expect(sandbox.words(diagnostics)).toEqual([
      "config.toml:1: there is no fleet file",
      "→ create <folder>/config.toml with a line such as [changelings.fixme-fairy], or name another: pulumi config set changelings:config <path>",
    ]);
  });

  it("is a folder", async () => {
    using sandbox = new Sandbox();
    mkdirSync(sandbox.file);
    const { diagnostics } = await loadFleet({ file: sandbox.file, context: sandbox.context() });
    expect(sandbox.words(diagnostics)).toEqual([
      "config.toml:1: is a folder, not a fleet file",
      "→ name a file in it, such as <folder>/config.toml/config.toml",
    ]);
  });

  it("is forbidden", async ({ skip }) => {
    skip(process.getuid?.() === 0, "root may read every file");
    using sandbox = new Sandbox();
    chmodSync(sandbox.write("config.toml", ""), 0);
    const { diagnostics } = await loadFleet({ file: sandbox.file, context: sandbox.context() });
    expect(sandbox.words(diagnostics)[0]).toBe("config.toml:1: can't be read: permission denied");
  });

  it("is no text", async () => {
    using sandbox = new Sandbox();
    sandbox.write("config.toml", "");
    writeFileSync(sandbox.file, Buffer.from([0x61, 0xff, 0xfe]));
    const { diagnostics } = await loadFleet({ file: sandbox.file, context: sandbox.context() });
    expect(sandbox.words(diagnostics)).toEqual(["config.toml:1: the file is not UTF-8 text", "→ save it as UTF-8"]);
  });

  it.each([
    ["a = 1\nb = 'x", 2, 5, "not valid TOML: unfinished string", "correct the line"],
    ["a = [1,\nb = 2", 2, 1, "not valid TOML: invalid value", "correct the line"],
    ["x = 1\nx = 2", 2, 1, "this key or table is defined twice", "remove one of them"],
    [
      "[changelings.a]\n\n[changelings.b]\n[ changelings . 'a' ]\n",
      4,
      2,
      "the table is declared twice, first on line 1",
      "merge them, or rename one",
    ],
  ])("is broken: %j", async (text, line, column, message, remedy) => {
    using sandbox = new Sandbox();
    const { diagnostics } = await sandbox.load(text);
    expect(diagnostics).toEqual([{ file: sandbox.file, line, column, path: "", message, remedy, severity: "error" }]);
  });

  it("doesn't repeat the file's text, which may hold a secret", async () => {
    using sandbox = new Sandbox();
    expect((await sandbox.diagnosticsOf(`[changelings.a]\nenv = { A = "${token}"`)).join()).not.toContain(token);
  });
});

describe("a file that is read as any other", () => {
  it.each([
    ["with a byte order mark", "\uFEFF[changelings.fixme-fairy]\n"],
    ["with Windows line ends", "[changelings.fixme-fairy]\r\nenabled = true\r\n"],
    ["of TOML 1.1", "[changelings]\nfixme-fairy = {\n  enabled = true, # trailing\n}\n"],
    ["of dotted keys", "changelings.fixme-fairy.enabled = true"],
    ["without a last line end", "[changelings.fixme-fairy]"],
  ])("%s", async (_title, text) => {
    using sandbox = new Sandbox();
    const { fleet, diagnostics } = await sandbox.load(text, { repo: sandbox.repo("app") });
    expect(diagnostics).toEqual([]);
    expect(fleet?.changelings.map(({ name }) => name)).toEqual(["fixme-fairy"]);
  });

  it("and that declares nothing: a warning", async () => {
    using sandbox = new Sandbox();
    const { fleet, diagnostics } = await sandbox.load("# nothing yet\n");
    expect(fleet?.changelings).toEqual([]);
    expect(sandbox.words(diagnostics)).toEqual([
      "config.toml:1: warning: no changeling is declared",
      "→ add one: [changelings.fixme-fairy]",
    ]);
  });
});

describe("exposure", () => {
  const text = (value: string) => `[defaults]\nrepo = "app"\n[changelings.fixme-fairy]\nenv = { KEY = "${value}" }\n`;
  const standsHere = [
    "config.toml:4: warning: changelings.fixme-fairy.env.KEY: the value looks like a secret, and the file is plain text",
    '→ export KEY in your shell, add "KEY" to secrets and remove it here',
  ];

  it.each([
    ["ghp_0123456789abcdefghijABCDEFGHIJ012345"],
    ["github_pat_0123456789abcdefghijAB_CDEFGHIJ012345"],
    ["sk-ant-api03-abcdefghijk"],
    ["AKIAABCDEFGHIJKLMNOP"],
    ["-----BEGIN OPENSSH PRIVATE KEY-----"],
  ])("of a literal secret, for oneself: %s", async (value) => {
    using sandbox = new Sandbox();
    sandbox.repo("app");
    expect(await sandbox.diagnosticsOf(text(value))).toEqual(standsHere);
  });

  it("of a literal secret to others: chmod", async () => {
    using sandbox = new Sandbox();
    sandbox.repo("app");
    sandbox.write("config.toml", "");
    chmodSync(sandbox.file, 0o644);
    const { fleet, diagnostics } = await sandbox.load(text(token));
    expect(sandbox.words(diagnostics)).toEqual([
      ...standsHere,
      "config.toml:4: warning: something here looks like a secret's value, and others on this machine can read the file",
      "→ chmod 600 <folder>/config.toml",
    ]);
    expect(fleet?.changelings).toHaveLength(1);
    expect(await sandbox.diagnosticsOf(text("debug"))).toEqual([]);
    expect(await sandbox.diagnosticsOf(`# ${token}\n[changelings.fixme-fairy]\nrepo = "app"`)).toEqual([
      "config.toml:1: warning: something here looks like a secret's value, and others on this machine can read the file",
      "→ chmod 600 <folder>/config.toml",
    ]);
  });

  it("of plain words: no warning", async () => {
    using sandbox = new Sandbox();
    sandbox.repo("app");
    for (const value of [
      "debug",
      "task-ant-hill-climbing",
      "https://example.com/a-long-path/0123456789abcdef",
      "ghp_x",
    ]) {
      expect(await sandbox.diagnosticsOf(text(value))).toEqual([]);
    }
  });

  it("of a tracked file, only at the default path", async () => {
    using sandbox = new Sandbox();
    const app = sandbox.repo("app");
    const file = sandbox.write("home/.changelings/config.toml", `[changelings.fixme-fairy]\nrepo = "${app}"\n`);
    const load = () => loadFleet({ file, context: sandbox.context() });
    expect((await load()).diagnostics).toEqual([]);
    sandbox.git("init", "--quiet", sandbox.home);
    expect((await load()).diagnostics).toEqual([]);
    sandbox.git("-C", sandbox.home, "add", join(".changelings", "config.toml"));
    expect(sandbox.words((await load()).diagnostics)).toEqual([
      "home/.changelings/config.toml:1: warning: git tracks the file, which is for one person on one machine",
      "→ git -C <folder>/home/.changelings rm --cached config.toml, and ignore it",
    ]);
    sandbox.write("app/config.toml", `[changelings.fixme-fairy]\n`);
    sandbox.git("-C", app, "add", "config.toml");
    const elsewhere = await loadFleet({ file: join(app, "config.toml"), context: sandbox.context() });
    expect(elsewhere.diagnostics).toEqual([]);
  });
});
