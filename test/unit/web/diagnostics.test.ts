import { afterAll, describe, expect, it } from "vitest";
import { AgentTypes, stockWebTypes } from "../../../components/fleet/agents.ts";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("agent");
afterAll(() => sandbox[Symbol.dispose]());

const webTypes = new AgentTypes(undefined, stockWebTypes()).names().join(", ");

describe("kinds", () => {
  it("default to cron: options only for web are reported", async () => {
    const text = `[changelings.fixme-fairy]\nrepo = "agent"\nsource = "agent"\nsettings.chat.modle = "x"\nstart_timeout_seconds = 5\n`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      'config.toml:3: changelings.fixme-fairy.source: source is only for kind = "web"',
      '→ write repo instead, or write kind = "web"',
      'config.toml:4: changelings.fixme-fairy.settings: settings is only for kind = "web"',
      '→ remove the line, or write kind = "web"',
      'config.toml:5: changelings.fixme-fairy.start_timeout_seconds: start_timeout_seconds is only for kind = "web"',
      '→ write timeout_seconds instead, or write kind = "web"',
    ]);
  });

  it("that don't exist are reported without their options", async () => {
    const text = `[changelings.fixme-fairy]\nkind = "wep"\nrepo = "agent"\nsource = "agent"\n`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      'config.toml:2: changelings.fixme-fairy.kind: there is no kind "wep"',
      '→ did you mean kind = "web"?',
    ]);
  });

  it("are suggested for a stock type of the other kind", async () => {
    expect(await sandbox.diagnosticsOf("[changelings.chat]\nrepo = 'agent'")).toEqual([
      'config.toml:1: changelings.chat: "chat" is a stock web changeling',
      '→ write kind = "web"',
    ]);
  });

  it("ignore unsupported defaults; unknown ones are reported once, at their line", async () => {
    const text = `[defaults]\nkind = "web"\nschedule = "0 3 * * *"\ndestroy_data = true\nbranch = "develop"\n[changelings.chat]\n[changelings.elena-code]\n`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      'config.toml:3: defaults.schedule: schedule is only for kind = "cron"',
      '→ remove the line, or write kind = "cron"',
      "config.toml:5: defaults.branch: branch is only for a changeling with a source: other repositories are created from scratch",
      '→ remove the line, or write source = "<path or URL>"',
    ]);
  });
});

describe("a default provider that a kind lacks", () => {
  const isForWeb = 'the provider "docker" is only for kind = "web": no schedule fires there';

  it("is reported for each changeling of the kind, at its own line", async () => {
    const text = `[defaults]\nprovider = "docker"\n[changelings.chat]\nkind = "web"\n[changelings.fixme-fairy]\nrepo = "agent"\n`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      `config.toml:5: changelings.fixme-fairy.provider: ${isForWeb}`,
      '→ write provider = "local" or provider = "modal", or kind = "web"',
    ]);
  });

  it("is not reported for a changeling with its own provider", async () => {
    const text = `[defaults]\nprovider = "docker"\n[changelings.fixme-fairy]\nrepo = "agent"\nprovider = "local"\nenabled = 1\n`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      "config.toml:6: changelings.fixme-fairy.enabled: expected true or false, found 1",
      "→ write enabled = true or enabled = false",
    ]);
  });
});

describe("web changelings", () => {
  it("need a source or an existing agent type", async () => {
    expect(await sandbox.diagnosticsOf('[changelings.elena]\nkind = "web"')).toEqual([
      'config.toml:1: changelings.elena: neither source nor agent_type is set, and mngr knows no agent type "elena"',
      `→ write source = "<path or URL>" or agent_type = "chat"; known here: ${webTypes}`,
    ]);
  });

  it("with a remote source may have unknown agent types", async () => {
    const text = '[changelings.a]\nkind = "web"\nsource = "https://example.com/a/b"\nagent_type = "theirs"\n';
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      'config.toml:4: warning: changelings.a.agent_type: mngr knows no agent type "theirs"',
      `→ known here: ${webTypes}`,
    ]);
  });

  it("don't share data, nor a part of it", async () => {
    const one = (name: string, data: string, more = "") =>
      `[changelings.${name}]\nkind = "web"\nagent_type = "chat"\ndata = "${data}"\n${more}\n`;
    expect(await sandbox.diagnosticsOf(one("a", "~/a") + one("b", "~/b/../a/deep") + one("c", "~/ab"))).toEqual([
      "config.toml:9: changelings.b.data: <folder>/home/a/deep already holds the data of a",
      '→ write a separate folder, such as data = "~/elena"',
    ]);
    for (const far of ["provider = 'docker'", "provider = 'modal'"]) {
      expect(await sandbox.diagnosticsOf(one("a", "xx", far) + one("b", "xx", far) + one("c", "xx-2", far))).toEqual([
        "config.toml:9: changelings.b.data: xx already holds the data of a",
        '→ write a separate volume, such as data = "elena"',
      ]);
    }
    expect(
      await sandbox.diagnosticsOf(one("a", "xx", "provider = 'docker'") + one("b", "xx", "provider = 'modal'")),
    ).toEqual([]);
  });

  it("report all errors in settings together, and keep the valid ones", async () => {
    const text = `[changelings.chat]\nkind = "web"\n[changelings.chat.settings.chat]\nmodel = 1\ncolour = 2\n[changelings.chat.settings.watcher]\n[changelings.chat.settings.chat.context]\nmax_content_length = "a"\n`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      "config.toml:4: changelings.chat.settings.chat.model: expected a string, found 1",
      "→ write the value in quotes",
      'config.toml:5: changelings.chat.settings.chat.colour: unknown key "colour"',
      "→ its keys are model, context, extra_context",
      'config.toml:6: changelings.chat.settings.watcher: unknown key "watcher"',
      '→ did you mean "watchers"?',
      'config.toml:8: changelings.chat.settings.chat.context.max_content_length: expected a number, found the string "a"',
      "→ write max_content_length = 400",
    ]);
  });
});
