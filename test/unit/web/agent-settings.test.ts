import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { gitIn } from "../../../components/git/git.ts";
import { agentSettings, settingsOf } from "../../../components/web/agent/settings.ts";
import { Repository } from "../../support/repository.ts";
import { webSpecOf } from "../../support/web-spec.ts";

const entrypoint = '[create_templates.entrypoint]\ntype = "tiny"\n';
const type = '[agent_types.tiny]\nparent_type = "command"\ncommand = "python3 serve.py"\n';
const file = ".mngr/settings.toml";

function fromText(text: string, more: Parameters<typeof webSpecOf>[0] = {}, others: Record<string, string> = {}) {
  return settingsOf(
    new Map(Object.entries({ [file]: text, ...others })),
    webSpecOf({ source: "/src", ...more }),
    "c0ffee",
  );
}

function refused(text: string, more?: Parameters<typeof webSpecOf>[0], others?: Record<string, string>): string {
  try {
    fromText(text, more, others);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "accepted";
}

describe("what is accepted of an agent's repository", () => {
  it("is its create template entrypoint, and agent types that are commands", () => {
    const text = `${type}cli_args = ["--quiet"]\nenv = ["A=b"]\n${entrypoint}label = ["team=x"]\nconnect = false\n`;
    const { files, template } = fromText(text);
    expect(template).toBe("entrypoint");
    expect(parse(files["settings.toml"] ?? "")).toEqual({
      agent_types: {
        tiny: { parent_type: "command", command: "python3 serve.py", cli_args: ["--quiet"], env: ["A=b"] },
      },
      create_templates: { entrypoint: { label: ["team=x"], type: "tiny" } },
    });
  });

  it("is spec 001's form, in a file of its name or in today's, which wins", () => {
    const older = '[create_templates.entrypoint]\nagent_type = "elena-code"\n';
    const said = (texts: Record<string, string>) =>
      parse(settingsOf(new Map(Object.entries(texts)), webSpecOf(), "c0ffee").files["settings.toml"] ?? "");
    const inWords = { create_templates: { entrypoint: { type: "elena-code" } } };
    expect(said({ ".mng/settings.toml": older })).toEqual(inWords);
    expect(said({ [file]: older })).toEqual(inWords);
    expect(said({ ".mng/settings.toml": older, [file]: entrypoint })).toEqual({
      create_templates: { entrypoint: { type: "tiny" } },
    });
  });

  it("is a local file too, over the other", () => {
    const { files } = fromText(type, {}, { ".mngr/settings.local.toml": entrypoint });
    expect(Object.keys(files)).toEqual(["settings.toml", "settings.local.toml"]);
  });

  it("need not be there where the fleet file says which agent it is", () => {
    expect(fromText("", { agentType: "claude" })).toMatchObject({ template: undefined });
    expect(refused(type)).toBe(
      '/src does not define its agent type; write agent_type = "…" into the fleet file, or add to its ' +
        '.mngr/settings.toml: [create_templates.entrypoint] with type = "…"',
    );
  });
});

describe("what is refused", () => {
  it.each([
    ["commands on this machine", '[pre_command_scripts]\ncreate = ["id"]\n', "pre_command_scripts"],
    ["a command to connect", 'connect_command = "id"\n', "connect_command"],
    ["providers", '[providers.docker]\nbackend = "docker"\n', "providers"],
    ["plugins", "[plugins.claude]\nenabled = false\n", "plugins"],
    ["defaults of commands", '[commands.create]\npass_env = ["HOME"]\n', "commands"],
    ["where files are", 'default_host_dir = "/etc"\n', "default_host_dir"],
    ["paths to copy", '[work_dir_extra_paths]\n"../x" = "COPY"\n', "work_dir_extra_paths"],
    ["tmux", '[tmux]\nadditional_config_path = "/x"\n', "tmux"],
    ["other templates", '[create_templates.other]\ntype = "tiny"\n', "create_templates.other"],
    ["no table", "[[plugins]]\n", "plugins"],
    ["what mngr would take for a key", '["pre-command-scripts"]\n', "pre-command-scripts"],
    ["what a terminal would obey", '"\\u001b[2J" = 1\n', '"\\u001b[2J"'],
  ])("%s", (_what, text, key) => {
    // Top-level keys come before tables.
    expect(refused(text.startsWith("[") ? `${type}${entrypoint}${text}` : `${text}${type}${entrypoint}`)).toBe(
      "the repository of elena (commit c0ffee) has settings that an agent's repository may not contain: " +
        `${key} in .mngr/settings.toml. Remove them there and commit, or put them into your own mngr settings; ` +
        "accepted settings: docs/reference/web-agents.md",
    );
  });

  it.each([
    ...[
      "upload_file",
      "extra_provision_command",
      "env_file",
      "host_env_file",
      "pass_env",
      "pass_host_env",
      "build_arg",
    ],
    ...["start_arg", "post_host_create_outer_command", "post_host_create_command", "message_file", "rsync_args"],
    ...["upload_file__extend", "setting", "source", "provider", "sync_claude_credentials"],
  ])("%s of the template", (key) => {
    expect(refused(`${entrypoint}${key} = ["x"]\n`)).toContain(`create_templates.entrypoint.${key} in`);
  });

  it.each([
    "upload_file",
    "extra_provision_command",
    "env_file",
    "plugin",
    "create_directory",
    "override_settings_folder",
  ])("%s of an agent type", (key) =>
    expect(refused(`${type}${key} = ["x"]\n${entrypoint}`)).toContain(`agent_types.tiny.${key} in`),
  );

  it("values of another form, and labels by which agents are distinguished", () => {
    expect(refused('[create_templates.entrypoint]\ntype = "a b"\n')).toContain("create_templates.entrypoint.type in");
    expect(refused(`${entrypoint}env = ["HOME"]\n`)).toContain("create_templates.entrypoint.env in");
    for (const label of ["changeling=other", "CREATOR=x", "Changelings_stack=y"])
      expect(refused(`${entrypoint}label = ["${label}"]\n`)).toContain("create_templates.entrypoint.label in");
    expect(refused(`["agent_types"."../x"]\ncommand = "a"\n${entrypoint}`)).toContain('agent_types."../x" in');
    expect(refused(`[agent_types.__proto__]\ncommand = "a"\n${entrypoint}`)).toContain("agent_types.__proto__ in");
  });

  it("all of it at once, in every file", () => {
    const local = { ".mngr/settings.local.toml": 'connect_command = "id"\n' };
    const said = refused(`pager = "id"\n${type}upload_file = []\n${entrypoint}`, {}, local);
    expect(said).toContain(
      "pager in .mngr/settings.toml; agent_types.tiny.upload_file in .mngr/settings.toml; " +
        "connect_command in .mngr/settings.local.toml.",
    );
    expect(refused("a = [")).toMatch(/what is not valid TOML \(.*\) in \.mngr\/settings\.toml/);
  });

  it("on a machine of its own types by which mngr takes the person's logins along, unless the fleet file names them", () => {
    const docker = { provider: "docker" as const };
    const claude = '[create_templates.entrypoint]\ntype = "claude"\n';
    expect(refused(claude)).toBe("accepted");
    expect(refused(claude, docker)).toContain('write agent_type = "claude" into the fleet file if you trust it');
    expect(refused(claude, { ...docker, agentType: "claude" })).toBe("accepted");
    const child = '[agent_types.tiny]\nparent_type = "claude"\n';
    expect(refused(child + entrypoint, docker)).toContain('agent_types.tiny without parent_type = "command"');
    expect(refused(child + entrypoint, { ...docker, agentType: "tiny" })).toContain("agent_types.tiny without");
    expect(refused(type + entrypoint, docker)).toBe("accepted");
  });
});

it("is read from the commit, where a link leads nowhere, and what lies in the work tree is not", async () => {
  using repo = new Repository();
  const at = { author: "Me", at: "2026-01-01T00:00:00Z" };
  repo.commit({ [file]: type + entrypoint }, at);
  repo.write({ [file]: '[pre_command_scripts]\ncreate = ["id"]\n' });
  const env = { PATH: `${process.env["PATH"]}`, GIT_CONFIG_GLOBAL: "/dev/null" };
  const read = () => agentSettings(gitIn(repo.folder, env), "HEAD", webSpecOf({ source: "/src" }));
  expect((await read()).template).toBe("entrypoint");
  repo.git("rm", "--quiet", "--force", file);
  repo.write({ "real.toml": type + entrypoint });
  repo.run("mkdir", [".mngr"]);
  repo.run("ln", ["-s", "../real.toml", file]);
  repo.commit({}, at);
  await expect(read()).rejects.toThrow("something other than a regular file in .mngr/settings.toml");
  repo.git("rm", "--quiet", file);
  repo.commit({ "dir/settings.toml": type + entrypoint }, at);
  repo.run("ln", ["-s", "dir", ".mngr"]);
  repo.commit({}, at);
  await expect(read()).rejects.toThrow("does not define its agent type");
  repo.git("rm", "--quiet", ".mngr");
  repo.commit({ [file]: `# ${"x".repeat(70_000)}\n` }, at);
  await expect(read()).rejects.toThrow("more than 65536 bytes in .mngr/settings.toml");
});
