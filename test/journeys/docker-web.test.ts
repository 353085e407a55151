import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readRecord, type WebRecord } from "../../components/web/agent/record.ts";
import { mngrOnDocker } from "../../components/web/docker/mngr-on-docker.ts";
import { hostLabel } from "../../components/web/docker/names.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { sampleArguments } from "../support/argument-sampler.ts";
import { filesHolding } from "../support/files-holding.ts";
import { freePort } from "../support/free-port.ts";
import { GreeterRepo } from "../support/greeter.ts";
import { visitor } from "../support/visitor.ts";
import { driftOf } from "../support/web-stack.ts";
import { withDocker } from "../support/with-docker.ts";

await withDocker("a web changeling in Docker", ({ env, baseImage, end }) => {
  let installation: string;
  let test: TestStack;
  let source: GreeterRepo;
  let port: number;
  let open: () => Promise<string>;

  beforeAll(async () => {
    test = makeTestStack({ ...env, MNGR__PROVIDERS__MODAL__IS_ENABLED: "false", SOME_SECRET: "s3cret" });
    installation = installationOf(test.stack);
    // mngr's own container and volume are named by it.
    test.env["MNGR_USER_ID"] = installation.padEnd(32, "0");
    source = new GreeterRepo();
    port = await freePort();
  });
  afterAll(async () => {
    await test?.remove();
    source?.[Symbol.dispose]();
    await end(installation);
  });

  const declare = (buildArg: string, ...more: string[]) => {
    const lines = [
      ...["[changelings.greeter]", 'kind = "web"', 'provider = "docker"', `source = "${source.folder}"`],
      ...[`build_args = ["${buildArg}"]`, 'secrets = ["SOME_SECRET"]', "start_timeout_seconds = 60"],
    ];
    test.declare(`[forwarding]\nport = ${port}\n${[...lines, ...more].join("\n")}\n`);
  };
  const docker = (...args: string[]) => execFileSync("docker", args, { env: test.env, encoding: "utf8" }).trim();
  const machine = () => docker("ps", "--all", "--quiet", "--filter", `label=${hostLabel}=${record().host}`);
  const own = (list: string[]) => {
    const label = `label=changelings_installation=${installation}`;
    return docker(...list, "--filter", label)
      .split("\n")
      .filter(Boolean)
      .sort();
  };
  const volumes = () => own(["volume", "ls", "--quiet"]);
  const snapshots = () => own(["images", "--quiet", "mngr-snapshot"]);

  it("runs from its source on a machine of its own, and its page is forwarded to", async () => {
    declare(`image=${baseImage}`);
    const samples = sampleArguments();
    await succeed();
    expect(samples.stop().filter((line) => line.includes("s3cret"))).toEqual([]);
    const { repo, data, host } = record();
    open = await visitor(test, "greeter", port);
    expect(await open()).toBe("Hello; started 1 times; has its secret");
    expect(volumes()).toEqual([data, repo, `${repo.replace(/greeter_repo$/, `${host}_state`)}`].sort());
  });

  it("keeps what the agent committed in an update, and refuses one that conflicts with it", async () => {
    const { agentId, host } = record();
    await inMachine("echo own >own.txt; git add own.txt; git commit --quiet --message=own; echo draft >draft.txt");
    source.change({ greeting: "Good day" });
    await succeed();
    expect(record()).toMatchObject({ agentId, host });
    expect(await open()).toBe("Good day; started 2 times; has its secret");
    expect(snapshots()).toHaveLength(1);
    expect(
      await inMachine("git log --first-parent --format=%s; git branch --show-current; cat own.txt draft.txt"),
    ).toBe("Merge what is declared\nown\nPast\nmain\nown\ndraft");

    await inMachine("echo Mine >greeting; git commit --quiet --all --message=mine");
    source.change({ greeting: "Good night" });
    expect(await fail()).toContain("the new code conflicts with the agent's own commits in greeting");
    expect(await open()).toBe("Mine; started 2 times; has its secret");
  });

  it("goes back to what ran when new code does not come up", async () => {
    const before = source.git("show", "HEAD:agent.py");
    source.change({ greeting: "Good day", "agent.py": "print('boom at start')\nraise SystemExit(3)\n" });
    const said = await fail();
    expect(said).toContain("greeter did not start: its agent ended (DONE); the previous version runs again");
    expect(said).toContain("boom at start");
    expect(await open()).toBe("Mine; started 3 times; has its secret");
    expect(await inMachine("git log -1 --format=%s; cat draft.txt")).toBe("mine\ndraft");
    source.change({ "agent.py": `${before}\n` });
  });

  it("shows that it was stopped, and is started by `up`, or by whoever opens its page", async () => {
    docker("stop", "--time=1", machine());
    expect(await driftOf(test, "greeter-agent-docker")).toEqual(["its container has ended"]);
    await succeed();
    expect(await driftOf(test, "greeter-agent-docker")).toEqual([]);

    docker("stop", "--time=1", machine());
    expect(await open()).toMatch(/^Mine; started \d times; has its secret$/);
    expect(await inMachine("cat draft.txt")).toBe("draft");
  });

  it("runs and reads nothing on this machine, whatever it writes in its repo", async () => {
    const [ran, loot] = [join(test.home, "ran-here"), join(test.home, "loot")];
    writeFileSync(loot, "the person's\n");
    const page = /^[\w ]+; started \d+ times; has its secret$/;
    const evil = [
      `pre_command_scripts = { create = ["touch ${ran}"] }`,
      ...["[agent_types.greeter]", 'parent_type = "command"', 'command = "python3 agent.py"'],
      ...["[create_templates.entrypoint]", 'type = "greeter"', `upload_file = ["${loot}:/changeling-repo/loot"]`],
    ];
    const commit = "git commit --quiet --all --message";
    await inMachine(`printf '%s\\n' ${evil.map((line) => `'${line}'`).join(" ")} >.mngr/settings.toml; ${commit} evil`);
    source.change({ other: "1" });
    expect(await fail()).toContain(
      "pre_command_scripts in .mngr/settings.toml; create_templates.entrypoint.upload_file in .mngr/settings.toml",
    );
    expect(await open()).toMatch(page);

    const run = `touch ${ran}; false`;
    await inMachine(
      [
        "echo loose >loose.txt",
        "git checkout --quiet HEAD~1 -- .mngr",
        `${commit} good`,
        // By these git runs it at whatever it does in that repo.
        ...["core.fsmonitor", "core.sshCommand", "filter.evil.clean", "filter.evil.smudge", "merge.evil.driver"].map(
          (key) => `git config ${key} '${run}'`,
        ),
        "echo '* filter=evil merge=evil' >.git/info/attributes",
        `for hook in post-checkout post-merge post-index-change; do printf '#!/bin/sh\\n${run}\\nexit 0\\n' >.git/hooks/$hook; done`,
        "chmod 755 .git/hooks/*",
      ].join("; "),
    );
    source.change({ other: "2" });
    await succeed();
    // The next machine is made from what is on the volume.
    docker("rm", "--force", machine());
    source.change({ other: "3" });
    await succeed();
    expect(existsSync(ran)).toBe(false);
    expect(await open()).toMatch(page);
    expect(
      await inMachine("cat other; echo; cat loose.txt; ls loot 2>&1 || true; git log --format=%s | grep --count evil"),
    ).toBe("3\nloose\nls: cannot access 'loot': No such file or directory\n1");
  });

  it("shows its secret nowhere", () => {
    const [snapshot = ""] = snapshots();
    expect(docker("inspect", machine(), snapshot)).not.toContain("s3cret");
    expect(docker("exec", machine(), "sh", "-c", "cat /proc/[0-9]*/cmdline")).not.toContain("s3cret");
    const count = 'docker save "$1" >"$2" && grep --count --text "$3" "$2" || true';
    const inSaved = (text: string) =>
      execFileSync("sh", ["-c", count, "sh", snapshot, join(test.home, "saved"), text], {
        env: test.env,
        encoding: "utf8",
      });
    expect(Number(inSaved("layer"))).toBeGreaterThan(0);
    expect(inSaved("s3cret").trim()).toBe("0");
    rmSync(join(test.home, "saved"));
    expect(filesHolding("s3cret", test.home)).toEqual([join(test.paths.secrets, "greeter.json")]);
  });

  it("keeps its volumes when it is removed, gets them back, and deletes them if declared so", async () => {
    const { agentId, repo, data } = record();
    test.declare(`[forwarding]\nport = ${port}\n`);
    expect(await succeed()).toContain(`greeter is removed; kept in Docker: the volumes ${data} and ${repo}`);
    expect([own(["ps", "--all", "--quiet"]), volumes(), snapshots()]).toEqual([[], [data, repo], []]);

    source.change({ Dockerfile: `FROM ${baseImage}\nRUN touch /built\n` });
    declare("file=Dockerfile", "destroy_data = true");
    await succeed();
    expect(record().agentId).toBe(agentId);
    expect(docker("exec", machine(), "ls", "/built")).toBe("/built");
    open = await visitor(test, "greeter", port);
    expect(await open()).toMatch(/^Mine; started \d+ times; has its secret$/);

    test.declare(`[forwarding]\nport = ${port}\n`);
    expect(await succeed()).toContain("greeter is removed, with its volumes");
    expect([own(["ps", "--all", "--quiet"]), volumes(), readRecord(test.paths, "greeter")]).toEqual([
      [],
      [],
      undefined,
    ]);
    // Nor does mngr keep anything: it has no machines but those.
    const ofMngr = `name=docker-state-${test.env["MNGR_USER_ID"]}`;
    expect([
      docker("ps", "--all", "--quiet", "--filter", ofMngr),
      docker("volume", "ls", "--quiet", "--filter", ofMngr),
    ]).toEqual(["", ""]);
  });

  async function succeed(): Promise<string> {
    const { code, said } = await up();
    expect(code, said).toBe(0);
    return said;
  }

  async function fail(): Promise<string> {
    const { code, said } = await up();
    expect(code, said).not.toBe(0);
    return said;
  }

  async function up(): Promise<{ code: number; said: string }> {
    const { code, stdout, stderr } = await test.up();
    expect(stdout + stderr).not.toContain("s3cret");
    return { code, said: stdout + stderr };
  }

  function record(): WebRecord {
    const found = readRecord(test.paths, "greeter");
    if (found === undefined) throw new Error("greeter has no record");
    return found;
  }

  async function inMachine(command: string): Promise<string> {
    const { hostAddress = "" } = record();
    const { results } = await mngrOnDocker(undefined, test.env).exec([hostAddress], command);
    expect(results).toMatchObject([{ success: true }]);
    return results[0]?.stdout.trim() ?? "";
  }
});
