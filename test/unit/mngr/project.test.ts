import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mngrClient } from "../../../components/mngr/client.ts";
import { noProjectFolder } from "../../../components/mngr/project-folder.ts";
import { projectTables } from "../../../components/mngr/project-tables.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "project-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A repository whose mngr settings run a command, if mngr reads them. */
function hostileRepo(): string {
  const settings =
    '[pre_command_scripts]\ncreate = ["touch ran"]\n[create_templates.mine]\ntype = "x"\nenv = ["A=b"]\n';
  mkdirSync(join(home, "repo", ".mngr"), { recursive: true });
  writeFileSync(join(home, "repo", ".mngr", "settings.toml"), settings);
  return join(home, "repo");
}

/** Stands in for mngr: says where it was started, and what it would read. */
function mngr(env: Record<string, string>) {
  const bin = join(home, "bin", "mngr");
  mkdirSync(dirname(bin), { recursive: true });
  const said = join(home, "said");
  writeFileSync(
    bin,
    `#!/bin/sh\npwd >${said}\nstat -c %a . >>${said}\necho "$MNGR_PROJECT_CONFIG_DIR" >>${said}\n` +
      `cat "$MNGR_PROJECT_CONFIG_DIR"/settings.toml >>${said}\n` +
      'echo \'{"event": "created", "agent_id": "agent-1", "host_id": "host-1"}\'\n',
  );
  chmodSync(bin, 0o755);
  return { client: mngrClient({ ...env, PATH: `${dirname(bin)}:${process.env["PATH"]}` }), said };
}

describe("a mngr create", () => {
  it("works in its own folder, with the given settings and no others", async () => {
    const { client, said } = mngr({ MNGR_PROJECT_CONFIG_DIR: join(hostileRepo(), ".mngr") });
    await client.create(["create"], { settings: { "settings.toml": "[agent_types.x]\n" }, file: 0 });
    const [cwd = "", mode, folder, ...settings] = readFileSync(said, "utf8").trim().split("\n");
    expect([mode, folder]).toEqual(["700", cwd]);
    expect(parse(settings.join("\n"))).toEqual({
      unset_vars__extend: ["MNGR_PROJECT_CONFIG_DIR"],
      agent_types: { x: {} },
    });
    expect(existsSync(cwd)).toBe(false);
  });

  it.skipIf(process.platform !== "linux")("of a run has the types and templates of the repository", async () => {
    const repo = hostileRepo();
    const texts = projectTables(repo, {});
    expect(parse(texts["settings.toml"] ?? "")).toEqual({ create_templates: { mine: { type: "x", env: ["A=b"] } } });
    const project = join(home, "project");
    mkdirSync(project);
    writeFileSync(join(project, "settings.toml"), "");
    const output = { cwd: repo, project, stdout: join(home, "out"), stderr: join(home, "err"), pid: join(home, "pid") };
    for (const [given, wanted] of [
      [noProjectFolder, project],
      ["/chosen", "/chosen"],
    ] as const) {
      const { client, said } = mngr({ MNGR_PROJECT_CONFIG_DIR: given });
      const child = await client.startCreate(["create"], output);
      await new Promise((resolve) => (child.exitCode === null ? child.once("exit", resolve) : resolve(undefined)));
      expect(readFileSync(said, "utf8").split("\n")[2]).toBe(wanted);
    }
    expect(statSync(join(home, "out")).mode & 0o777).toBe(0o600);
    writeFileSync(join(repo, ".mngr", "settings.local.toml"), "a = [");
    expect(() => projectTables(repo, {})).toThrow("settings.local.toml is not valid TOML");
  });
});
