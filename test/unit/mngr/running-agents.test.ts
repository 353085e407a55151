import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { runningIn } from "../../../components/mngr/running-agents.ts";
import { writeRecord } from "../../../components/web/agent/record.ts";
import { listedWeb } from "../../../components/web/inspect/list.ts";
import { webSpecOf } from "../../support/web-spec.ts";

const id = (name: string) => `agent-${name.repeat(32)}`;

describe("which agents run beyond doubt", () => {
  it.each([
    ["its program is in the foreground", "%0", "%0", "0", "node", true],
    ["its program shows another title", "%0", "%0", "0", "2.1.73", true],
    ["a shell is: it may have ended", "%0", "%0", "0", "bash", false],
    ["its pane is dead", "%0", "%0", "1", "node", false],
    ["another pane of its window", "%0", "%1", "0", "vim", false],
    ["a terminal that is no agent's", "", "%0", "0", "vim", false],
  ])("%s", (_, own, pane, dead, command, expected) => {
    expect(runningIn(`${[own === "" ? "" : id("a"), own, pane, dead, command].join("\t")}\n`)).toEqual(
      expected ? [id("a")] : [],
    );
  });
});

describe("the list of web changelings", () => {
  let home: string;
  const paths = () => installationPaths("0123456789ab", home);
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "running-"));
    mkdirSync(join(home, "bin"));
    vi.stubEnv("HOME", home);
    vi.stubEnv("MNGR_HOST_DIR", join(home, ".mngr"));
    vi.stubEnv("PATH", `${join(home, "bin")}:${process.env["PATH"]}`);
    program("mngr", `touch ${join(home, "asked")}; echo '{"agents": []}'`);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  const program = (name: string, script: string) =>
    writeFileSync(join(home, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const panes = (...commands: [string, string][]) =>
    program(
      "tmux",
      commands.map(([agent, command]) => `printf '${id(agent)}\\t%%0\\t%%0\\t0\\t${command}\\n'`).join("\n"),
    );
  const deploy = (name: string, agent: string) => {
    const folder = join(home, ".mngr", "agents", id(agent));
    mkdirSync(join(folder, "activity"), { recursive: true });
    writeFileSync(join(folder, "data.json"), "{}");
    writeFileSync(join(folder, "activity", "user"), "");
    utimesSync(join(folder, "activity", "user"), 1_800_000_000, 1_800_000_000);
    const applied = webSpecOf({ name });
    writeRecord(paths(), {
      version: 1,
      name,
      agentName: name,
      agentId: id(agent),
      provider: "local",
      repo: "/r",
      data: "/d",
      applied,
    });
  };
  const listed = async () =>
    (await listedWeb({ paths: paths(), provider: undefined } as never)).map(({ name, state, lastActivity }) => [
      name,
      state,
      lastActivity,
    ]);
  const wasAsked = () => existsSync(join(home, "asked"));

  it("asks no mngr where all of them run", async () => {
    deploy("chat", "a");
    panes(["a", "node"], ["b", "bash"]);
    expect(await listed()).toEqual([["chat", "running", "2027-01-15T08:00:00.000Z"]]);
    expect(wasAsked()).toBe(false);
  });

  it.each([
    ["one of them has a shell in the foreground", () => panes(["a", "node"], ["b", "bash"])],
    ["one of them has no terminal", () => panes(["a", "node"])],
    ["there is no tmux server", () => program("tmux", "exit 1")],
  ])("asks mngr where %s", async (_, set) => {
    deploy("chat", "a");
    deploy("pages", "b");
    set();
    await listed();
    expect(wasAsked()).toBe(true);
  });

  it("asks mngr about one whose files are gone, though it runs", async () => {
    deploy("chat", "a");
    panes(["a", "node"]);
    rmSync(join(home, ".mngr", "agents", id("a"), "data.json"));
    expect(await listed()).toEqual([["chat", "gone", null]]);
  });
});
