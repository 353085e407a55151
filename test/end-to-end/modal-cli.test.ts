import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { homeVolumeName, runsVolumeName, secretName } from "../../components/modal/names.ts";
import { noTokenRemedy } from "../../components/modal/token.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { ModalStack } from "../support/modal-stack.ts";

/** The `changeling` command against Modal's emulator, on a machine that has only a token. */
let emulator: Emulator;
let dev: ModalStack;

const names = ["busy", "crashes", "fails", "slow", "works"];

beforeAll(async () => {
  emulator = await startEmulator();
  dev = new ModalStack(emulator, "0123456789abcdef0123456789abcdef");
  // No agents are looked at here, and mngr takes seconds to say its version.
  writeFileSync(join(dev.home, "bin", "mngr"), "#!/bin/sh\necho mngr 0.3.0\n", { mode: 0o755 });
  await dev.make();
  await dev.deploy(...names.map((name) => dev.spec(name, { enabled: name !== "slow" })));
});
afterAll(async () => {
  dev?.remove();
  await emulator?.stop();
});

const json = (text: string) => JSON.parse(text);

describe("from a machine with the token alone", () => {
  it("fires one and waits for its end; the others' ways to end", async () => {
    const works = await dev.changeling("run", "works", "--wait");
    expect(works.stderr).toMatch(/^works is being fired … 0 s\nworks-\S+ is starting … 0 s\n$/);
    expect(works.stdout.replace(/\d{4}(-\d\d){5}/g, "TIME")).toBe(
      [
        "works-TIME succeeded after 0 s",
        "  branch   changelings/works-TIME",
        "  commit   aaaaaaaaaa Fix one FIXME",
        "  in       https://example.com/app.git",
        "  show     git fetch https://example.com/app.git changelings/works-TIME && git show FETCH_HEAD",
        "",
      ].join("\n"),
    );
    expect(works.code).toBe(0);

    const busy = await dev.changeling("run", "busy", "--json");
    expect([busy.code, json(busy.stdout)]).toEqual([1, { skipped: "the other one is still running" }]);

    const fails = await dev.changeling("run", "fails");
    expect(fails.stdout).toMatch(/^fails-\S+ failed after 0 s: mngr create failed: no such agent type\n/);
    expect(fails.code).toBe(1);

    const crashes = await dev.changeling("run", "crashes");
    expect(crashes.stderr).toContain(
      "error: its function on Modal failed: RuntimeError('the container has no mngr'); " +
        `see: modal app logs changeling_dev_crashes --env ${dev.environment}\n`,
    );
    expect(crashes.code).toBe(1);
  });

  it("fires a paused one too, and prints how to follow it, during and after the run", async () => {
    const { code, stdout } = await dev.changeling("run", "slow");
    const id = /^fired (slow-\S+); see it with: changeling logs slow\n$/.exec(stdout)?.[1] ?? "none";
    expect(code).toBe(0);
    const open = await dev.changeling("logs", "slow", id);
    expect(open.stdout).toContain(`${id} is running\n`);
    expect(open.stdout).toContain(`(its log is kept when it ends; until then: mngr connect ${id})\n`);
    const lines = [{ event: "ended", at: new Date().toISOString(), outcome: "no_changes", commits: [] }];
    await dev.write(runsVolumeName("dev"), dev.record(id, lines, { "output.log": "looked around\n" }));
    const over = await dev.changeling("logs", "slow");
    expect(over.stdout).toMatch(new RegExp(`^${id} no changes after .*\n(.*\n)*--- output.log\nlooked around\n$`));
  });

  it("leaves a run running on Ctrl-C, and says so", async () => {
    const { code, stderr } = await dev.changeling({ interruptAt: /is starting/ }, "run", "slow", "--wait");
    expect(stderr).toMatch(/^slow-\S+ keeps running; see how it ends: changeling logs slow$/m);
    expect(code).toBe(130);
  });

  it("lists the fleet and its runs", async () => {
    const list = await dev.changeling("list");
    expect(list.stdout).toMatch(/^NAME +WHERE +WHEN +TIME ZONE +NEXT RUN +LAST RUN\n/);
    expect(list.stdout).toMatch(/^works +modal +At 03:00, every day +UTC +\S+ .* 03:00 +succeeded .*: 1 commit$/m);
    expect(list.stdout).toMatch(/^slow +modal +At 03:00, every day +UTC +paused +running, fired/m);
    expect([list.code, list.stderr]).toEqual([0, ""]);
    const listed = json((await dev.changeling("list", "--json")).stdout);
    expect(
      listed.map((each: { name: string; lastRun: { outcome?: string } | null }) => [each.name, each.lastRun?.outcome]),
    ).toEqual([
      ["busy", "skipped"],
      ["crashes", undefined],
      ["fails", "failed"],
      ["slow", undefined],
      ["works", "succeeded"],
    ]);
    const runs = json((await dev.changeling("runs", "--json", "--limit", "3")).stdout);
    expect(runs.map((run: { changeling: string; provider: string }) => [run.changeling, run.provider])).toEqual([
      ["slow", "modal"],
      ["slow", "modal"],
      ["fails", "modal"],
    ]);
    expect(json((await dev.changeling("runs", "works", "--json")).stdout)).toHaveLength(1);
  });

  it("knows a name that is nearly right", async () => {
    const { code, stderr } = await dev.changeling("run", "work");
    expect([code, stderr]).toEqual([1, 'error: no changeling "work" is deployed on this stack; did you mean works?\n']);
  });
});

describe("with changelings on this machine too", () => {
  beforeAll(() => dev.installHere("here"));

  it("shows both", async () => {
    const { stdout } = await dev.changeling("list", "--json");
    expect(json(stdout).map(({ name, provider }: { name: string; provider: string }) => `${name} ${provider}`)).toEqual(
      ["busy modal", "crashes modal", "fails modal", "here local", "slow modal", "works modal"],
    );
  });

  it("lists the local changelings if Modal is not reachable, with one warning and exit code 1", async () => {
    const away = { MODAL_SERVER_URL: "http://127.0.0.1:9" };
    const started = Date.now();
    const { code, stdout, stderr } = await dev.changeling({ env: away }, "list", "--json");
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(json(stdout).map(({ name }: { name: string }) => name)).toEqual(["here"]);
    expect(stderr.match(/^warning: .*Modal.*$/gm)).toEqual([
      expect.stringMatching(/^warning: what is on Modal is not shown: Modal .*https:\/\/status.modal.com/),
    ]);
    expect(code).toBe(1);
  });

  it("never mentions Modal to a person who has no token", async () => {
    const without = { MODAL_TOKEN_ID: "", MODAL_TOKEN_SECRET: "", MODAL_SERVER_URL: "http://127.0.0.1:9" };
    const { code, stdout, stderr } = await dev.changeling({ env: without }, "list");
    expect(stdout.split("\n").map((line) => line.split(" ")[0])).toEqual(["NAME", "here", ""]);
    expect(stdout + stderr).not.toMatch(/modal/i);
    expect(code).toBe(0);
  });
});

describe("doctor", () => {
  it("finds nothing wrong where nothing is; and this machine's mngr once it is authorized", async () => {
    const before = await dev.diagnosed("--deep");
    expect(before.checks.get("Modal token")?.status).toBe("ok");
    expect(before.checks.get("Modal environment")).toMatchObject({ status: "ok", detail: dev.environment });
    for (const name of names) {
      expect(before.checks.get(`app of ${name}`)?.status).toBe("ok");
      expect(before.checks.get(`deployments of ${name}`)).toMatchObject({
        status: "ok",
        detail: "version 1, as applied",
      });
    }
    expect(before.checks.get("orphans on Modal")?.detail).toBe("none");
    expect(before.checks.get("last run of fails")).toMatchObject({
      status: "warning",
      remedy: "see: changeling logs fails",
    });
    expect(before.checks.get("mngr on Modal")).toMatchObject({
      status: "warning",
      remedy: expect.stringMatching(/^to see and open its agents from this machine: .*changeling .*authorize$/),
    });
    expect((await dev.changeling("authorize")).code).toBe(0);
    expect((await dev.diagnosed()).checks.get("mngr on Modal")?.status).toBe("ok");
  });

  it("finds what somebody else did, and prints the command that repairs it", async () => {
    const { client, environment } = dev;
    await client.stopApp("changeling_dev_busy", environment);
    await dev.noteDeployed(dev.spec("fails", { secrets: ["API_KEY"] }));
    // As somebody does who deploys it from a folder of their own.
    await dev.deployByHand(dev.spec("works", { branch: "mine" }), "my-own");
    // As mngr names those of its hosts; the first was cleaned at its run's end.
    const volumes = ["a", "b"].map((digit) => `mngr-vol-${digit.repeat(32)}`);
    for (const [index, volume] of volumes.entries()) {
      await client.createVolume(volume, environment);
      await dev.write(volume, { "agents/agent-1/env": index === 0 ? "# without secrets\nA=b\n" : "API_KEY=x\n" });
    }
    const { code, checks } = await dev.diagnosed("--deep");
    expect(checks.get("volumes of agents on Modal")).toMatchObject({
      status: "ok",
      detail: "2 of ended agents",
    });
    expect(checks.has(`volume ${volumes[0]}`)).toBe(false);
    expect(checks.get(`volume ${volumes[1]}`)).toEqual({
      name: `volume ${volumes[1]}`,
      status: "warning",
      detail: "it contains the secrets of an agent that mngr does not know, which has ended",
      remedy: `remove it with: modal volume delete ${volumes[1]} --env ${environment} --yes`,
    });
    expect(checks.get("app of busy")).toMatchObject({ status: "failed", detail: "its Modal app is stopped" });
    expect(checks.get(`Modal Secret ${secretName("dev", "fails")}`)?.status).toBe("failed");
    expect(checks.get("deployments of works")).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/^version 2 was deployed as my-own, not by `pulumi up` \(/),
      remedy: expect.stringContaining(`modal app stop changeling_dev_works --env ${environment} --yes`),
    });
    expect(code).toBe(1);
    const list = await dev.changeling("list");
    expect(list.stdout).toMatch(/^busy +modal .* does not fire +skipped/m);
    expect(list.stderr).toContain("warning: busy does not fire: its Modal app is stopped; repair it with: npm start\n");
    const run = await dev.changeling("run", "busy");
    expect(run.stderr).toContain("error: busy can't be fired: its Modal app is stopped");
  });

  it("reports orphans if the declarations are known, and removes none of them", async () => {
    const { client, environment } = dev;
    const declared = names.filter((name) => name !== "slow");
    dev.declare(
      declared.map((name) => `[changelings.${name}]\nagent_type = "command"\nagent_args = ["true"]\n`).join(""),
    );
    await client.putSecret(secretName("dev", "slow"), environment, { A: "b" });
    await dev.write(homeVolumeName("dev"), { "snapshots/old.json": "{}" });
    await client.createVolume(homeVolumeName("forgotten"), environment);
    await client.createEnvironment("mngr-leaked");
    await client.createVolume(homeVolumeName("forgotten"), "mngr-leaked");
    const { code, checks } = await dev.diagnosed();
    const orphans = [...checks].filter(([name]) => name.startsWith("orphan on Modal: "));
    expect(
      orphans.map(([name, { status, remedy }]) => [name.slice(17), status, /modal .*$/.exec(`${remedy}`)?.[0]]),
    ).toEqual([
      ["Secret changeling_dev_slow", "failed", `modal secret delete changeling_dev_slow --env ${environment} --yes`],
      ["app changeling_dev_slow", "failed", `modal app stop changeling_dev_slow --env ${environment} --yes`],
      ["snapshot old", "failed", `modal volume rm changelings_dev snapshots/old.json --env ${environment}`],
      [
        "volume changelings_forgotten",
        "warning",
        `modal volume delete changelings_forgotten --env ${environment} --yes`,
      ],
      ["environment mngr-leaked", "warning", "modal environment delete mngr-leaked --yes"],
    ]);
    expect(code).toBe(1);
    expect((await client.apps(environment)).find(({ name }) => name === "changeling_dev_slow")?.state).toBe("deployed");
  });

  it("explains how to get a token", async () => {
    const env = { MODAL_TOKEN_ID: "", MODAL_TOKEN_SECRET: "" };
    const { code, stdout } = await dev.changeling({ env }, "doctor", "--provider", "modal");
    const lines = stdout.split("\n");
    const at = lines.indexOf("FAILED   Modal token: not found");
    expect(lines[at + 1]).toBe(`         ${noTokenRemedy}`);
    expect(code).toBe(1);
  });
});
