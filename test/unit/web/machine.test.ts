import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Agent } from "../../../components/mngr/client.ts";
import {
  createOnMachineArguments,
  destroyHostArguments,
  forgetSnapshotArguments,
  hostSnapshotArguments,
  provisionOnMachineArguments,
  startArguments,
} from "../../../components/mngr/machine-arguments.ts";
import { webDrift } from "../../../components/web/agent/drift.ts";
import type { WebRecord } from "../../../components/web/agent/record.ts";
import { digestOfSpec } from "../../../components/web/agent/spec.ts";
import { base64, scriptInMachine } from "../../../components/web/machine/in-machine.ts";
import { freeVolumes } from "../../../components/web/machine/records.ts";
import { Repository } from "../../support/repository.ts";
import { webSpecOf } from "../../support/web-spec.ts";

const agentId = `agent-${"0".repeat(32)}`;

describe("mngr's arguments", () => {
  const agent = {
    provider: "modal" as const,
    agent: "pages",
    id: agentId,
    host: "pages-1234abcd",
    source: "/tmp/repo",
    template: "entrypoint",
    type: undefined,
    labels: { changeling: "pages" },
    envFile: "/dev/fd/3",
    prepare: "true",
    agentArgs: ["--quiet"],
  };
  const rest = [
    ...["--from", ":/tmp/repo", "--template", "entrypoint"],
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl", "--label", "changeling=pages"],
    ...["--env-file", "/dev/fd/3", "--extra-provision-command", "true", "--", "--quiet"],
  ];

  it("create a machine", () => {
    const host = {
      branch: "main",
      folder: "/changeling-repo",
      hostLabels: { CREATOR: "changeling" },
      buildArgs: ["timeout=86000", "cpu=2"],
      startArgs: ["--memory=2g"],
    };
    expect(createOnMachineArguments({ ...agent, ...host })).toEqual([
      ...["create", "pages@pages-1234abcd.modal:/changeling-repo", "--new-host", "--id", agentId],
      ...["--branch", "main", "--idle-mode", "disabled", "--host-label", "CREATOR=changeling"],
      ...["--build-arg", "timeout=86000", "--build-arg", "cpu=2", "--start-arg", "--memory=2g"],
      ...rest,
    ]);
  });

  it("use an existing machine", () => {
    expect(provisionOnMachineArguments(agent)).toEqual([
      ...["create", "pages@pages-1234abcd.modal", "--id", agentId],
      ...["--reuse", "--update", "--transfer", "none", "--no-ensure-clean"],
      ...rest,
    ]);
    const json = ["--format", "json", "--headless"];
    expect(startArguments("A@H.modal", { isRestarted: false })).toEqual(["start", "A@H.modal", "--no-resume", ...json]);
    expect(startArguments("A@H.modal", { isRestarted: true })).toContain("--restart");
    expect(hostSnapshotArguments("A@H.modal")).toEqual(["snapshot", "create", "A@H.modal", ...json]);
    const forget = ["snapshot", "destroy", "A@H.modal", "--snapshot", "im-1", "--force", ...json];
    expect(forgetSnapshotArguments("A@H.modal", "im-1")).toEqual(forget);
    // Without --no-gc mngr would look for others to remove.
    expect(destroyHostArguments("docker", "h")).toEqual(["destroy", "@h.docker", "--force", "--no-gc", ...json]);
  });
});

describe("the drift of an agent on a separate machine", () => {
  const applied = webSpecOf({ name: "pages", provider: "modal" });
  const record: WebRecord = {
    version: 1,
    name: "pages",
    agentId,
    agentName: "pages",
    provider: "modal",
    repo: "r",
    data: "d",
    hostAddress: `${agentId}@host-1.modal`,
    applied,
  };
  const agent: Agent = {
    id: agentId,
    name: "pages",
    state: "WAITING",
    labels: { changeling_digest: digestOfSpec(applied) },
    plugin: {},
    host: { id: "host-1", name: "h", provider_name: "modal", snapshots: [] },
  };
  const running = { machines: new Set(["host-1"]), agents: [agent] };
  const resting = { ...record, applied: { ...applied, enabled: false } };

  it.each([
    ["nothing", record, running, undefined],
    ["nothing, where no mngr knows", record, { ...running, agents: undefined }, undefined],
    ["no record", undefined, running, "its record is missing"],
    ["a removed one", { ...record, removed: true as const }, running, "its record is missing"],
    [
      "one that never came up",
      { ...record, applied: undefined },
      { machines: new Set<string>(), agents: [] },
      undefined,
    ],
    ["a machine after its day", record, { ...running, machines: new Set<string>() }, "its machine has ended"],
    [
      "the same, where no mngr knows",
      record,
      { machines: new Set<string>(), agents: undefined },
      "its machine has ended",
    ],
    ["no agent", record, { ...running, agents: [] }, "its agent is gone"],
    ["a dead one", record, { ...running, agents: [{ ...agent, state: "DONE" }] }, "its agent died (DONE)"],
    ["a stopped one", record, { ...running, agents: [{ ...agent, state: "STOPPED" }] }, "its agent was stopped"],
    ["another one", record, { ...running, agents: [{ ...agent, labels: {} }] }, "it was redeployed by hand"],
    ["one that rests", resting, { machines: new Set<string>(), agents: [agent] }, undefined],
    ["one that should rest", resting, running, "its agent was started by hand"],
  ])("%s", (_, of, { agents, machines }, words) =>
    expect(webDrift(of, agents, { word: "machine", running: machines })).toBe(words),
  );

  it("uses the provider's word for a machine", () => {
    const inDocker = { ...record, provider: "docker" as const, hostAddress: `${agentId}@host-1.docker` };
    const there = { ...agent, host: { id: "host-1", name: "h", provider_name: "docker", snapshots: [] } };
    const drift = (...running: string[]) =>
      webDrift(inDocker, [there], { word: "container", running: new Set(running) });
    expect(drift()).toBe("its container has ended");
    expect(drift("host-1")).toBeUndefined();
  });
});

describe("the volumes of a changeling", () => {
  const namesFor = (name: string) => ({ repo: `${name}_repo`, data: `${name}_data` });
  const other = { version: 1 as const, agentId, agentName: "b", provider: "docker" as const, data: "d" };

  it("are named after it", () => {
    const own = { ...other, name: "a", repo: "a_repo" };
    expect(freeVolumes("a", namesFor, [own, { ...other, name: "b", repo: "b_repo" }])).toEqual(namesFor("a"));
  });

  it("are not those of a renamed changeling that had its name", () => {
    const { repo, data } = freeVolumes("a", namesFor, [{ ...other, name: "b", repo: "a_repo" }]);
    expect(repo).toMatch(/^a-[0-9a-f]{8}_repo$/);
    expect(data).toBe(repo.replace("repo", "data"));
  });
});

describe("in the machine", () => {
  const at = { author: "Me", at: "2026-01-01T00:00:00Z" };
  const machine = (repo: Repository, script: Parameters<typeof scriptInMachine>[0], words: string[], env = {}) => {
    const options = { cwd: repo.folder, env: { ...repo.env, ...env }, encoding: "utf8" as const };
    const { status, stdout, stderr } = spawnSync("sh", ["-c", scriptInMachine(script, words)], options);
    return { status, said: stdout.trim(), stderr };
  };

  it("sent commits are merged, unless the agent has committed, or changed the same files", () => {
    using repo = new Repository();
    repo.commit({ a: "1" }, at);
    const before = repo.git("rev-parse", "HEAD");
    repo.commit({ a: "2" }, at);
    const after = repo.git("rev-parse", "HEAD");
    repo.git("reset", "--quiet", "--hard", before);
    repo.write({ a: "mine" });
    const refused = machine(repo, "fast-forward.sh", [before, after]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/would be overwritten by merge:\n\ta\n/);
    expect(repo.git("rev-parse", "HEAD")).toBe(before);
    repo.git("checkout", "--quiet", "a");
    expect(machine(repo, "fast-forward.sh", [before, after])).toMatchObject({ status: 0, said: "" });
    expect(readFileSync(join(repo.folder, "a"), "utf8")).toBe("2");
    expect(machine(repo, "fast-forward.sh", [before, after])).toMatchObject({ status: 0, said: "moved" });

    repo.write({ draft: "kept" });
    expect(machine(repo, "undo-merge.sh", [before, after])).toMatchObject({ status: 0, said: "undone" });
    expect(readFileSync(join(repo.folder, "a"), "utf8")).toBe("1");
    expect(readFileSync(join(repo.folder, "draft"), "utf8")).toBe("kept");
    expect(machine(repo, "undo-merge.sh", [before, after])).toMatchObject({ status: 0, said: "" });
  });

  it("settings, the hook and the keys are added and removed as declared", () => {
    using repo = new Repository();
    repo.commit({ a: "1" }, at);
    const state = join(repo.folder, "..", "state");
    mkdirSync(state);
    const home = join(repo.folder, "..");
    const env = { MNGR_AGENT_STATE_DIR: state, CHANGELING_MEMORY: join(state, "memory"), HOME: home };
    const read = (path: string) => readFileSync(join(repo.folder, path), "utf8");
    const settings = '# Written by `pulumi up`; edits are overwritten.\n[chat]\nmodel = "it\'s $HOME"\n';
    const hook = "#!/bin/sh\n# written by `pulumi up`\necho pushed >>.git/pushes\n";
    const declared = [settings, "https://example.com/a b.git", "changelings/pages", hook, "ssh-ed25519 KEY me\n"];
    for (const _ of ["once", "and again"]) {
      expect(machine(repo, "prepare.sh", declared.map(base64), env)).toMatchObject({ status: 0, stderr: "" });
    }
    expect(read(".changelings/settings.toml")).toBe(settings);
    expect(repo.git("status", "--porcelain")).toBe("");
    expect(repo.git("config", "remote.changelings.url")).toBe("https://example.com/a b.git");
    expect(repo.git("config", "changelings.branch")).toBe("changelings/pages");
    expect(read(".git/pushes")).toBe("pushed\npushed\n");
    expect(existsSync(env.CHANGELING_MEMORY)).toBe(true);
    expect(readFileSync(join(home, ".ssh/authorized_keys"), "utf8")).toContain("ssh-ed25519 KEY me\n");

    expect(machine(repo, "prepare.sh", ["", "", "", "", ""], env)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(join(repo.folder, ".changelings/settings.toml"))).toBe(false);
    expect(existsSync(join(repo.folder, ".git/hooks/post-commit"))).toBe(false);
    expect(repo.git("remote")).toBe("");

    // What is the agent's own is left alone.
    writeFileSync(join(repo.folder, ".git/hooks/post-commit"), "#!/bin/sh\necho mine\n", { mode: 0o700 });
    repo.write({ ".changelings/settings.toml": "[mine]\n" });
    expect(machine(repo, "prepare.sh", ["", "", "", "", ""], env)).toMatchObject({ status: 0, stderr: "" });
    expect(read(".changelings/settings.toml")).toBe("[mine]\n");
    expect(read(".git/hooks/post-commit")).toBe("#!/bin/sh\necho mine\n");
  });
});
