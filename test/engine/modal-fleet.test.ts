import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import { modalToken } from "../../components/modal/token.ts";
import { filesHolding } from "../support/files-holding.ts";
import { Repository } from "../support/repository.ts";
import { type ModalStack, makeModalStack } from "./modal-stack.ts";

const day = (date: string) => [new Date(`${date}T00:00:00Z`), new Date(`${date}T12:00:00Z`)] as const;
const worker = [
  "[changelings.worker]",
  'agent_type = "command"',
  // Its last run is still at work when the stack is destroyed.
  `agent_args = ["sh", "-c", "if [ -e stay ]; then sleep 300; fi; echo more >>README.md && git commit -qam 'Write more'"]`,
  'secrets = ["SOME_TOKEN"]',
];
const helper = ["[changelings.helper]", 'agent_type = "command"', 'agent_args = ["true"]'];
const late = 'schedule = "0 15 * * *"';
/** As odd as a value can be, so that finding it nowhere means something. */
const secret = `it's "odd" $HOME \`id\` {}\nand has a second line`;

describe("a fleet on Modal from its first up to its destroy", () => {
  let test: ModalStack;
  beforeAll(async () => {
    // The harsher of the two ways in which Modal may overwrite a secret.
    test = await makeModalStack({}, { secretOverwrite: "new-id" });
  });
  // Its processes are the emulator's.
  afterAll(() => test.remove({ destroy: false }));

  const declare = (...lines: string[]) => test.declareOnModal(...lines);
  const apps = async () =>
    Object.fromEntries((await test.emulator.control.state()).apps.map(({ name, state }) => [name, state]));
  /** By app. */
  const schedules = async () =>
    Object.fromEntries(
      (await test.emulator.control.schedules(new Date("2026-07-01T00:00:00Z"))).map((each) => [each.app, each]),
    );
  /** As somebody else uses Modal. */
  const client = () =>
    modalClient({ token: modalToken(test.emulator.env), env: { ...process.env, ...test.emulator.env } });
  const rotated = { SOME_TOKEN: "rotated-value" };

  it("deploys each changeling, and the next up changes nothing", async () => {
    declare(...worker, ...helper, late);
    expect(await test.preview()).toEqual({
      "pulumi:pulumi:Stack changelings-dev": "create",
      "changelings:cron:CronChangeling helper": "create",
      "changelings:cron:CronChangeling worker": "create",
      "changelings:modal:ModalHome modal": "create",
      "command:local:Command modal": "create",
      "command:local:Command helper-app": "create",
      "command:local:Command worker-app": "create",
    });
    const refused = await test.up({ MODAL_TOKEN_ID: "", MODAL_TOKEN_SECRET: "" });
    expect(refused.code).not.toBe(0);
    for (const problem of ["worker needs SOME_TOKEN", "no Modal token is set"])
      expect(refused.stdout).toContain(problem);
    expect(await apps()).toEqual({});
    const { code, stdout } = await test.up({ SOME_TOKEN: secret });
    expect(code, stdout).toBe(0);
    expect(await test.preview({ SOME_TOKEN: secret })).toEqual({});
    expect(await apps()).toEqual({
      changeling_dev_helper: "APP_STATE_DEPLOYED",
      changeling_dev_worker: "APP_STATE_DEPLOYED",
    });
    expect(await schedules()).toMatchObject({
      changeling_dev_helper: { cron: "0 15 * * *", timezone: "UTC" },
      changeling_dev_worker: { cron: "0 3 * * *", timezone: "UTC", next: "2026-07-01T03:00:00+00:00" },
    });
  });

  it("keeps a secret's value out of the state, the output and every file", async () => {
    const needle = "second line";
    expect(filesHolding(needle, test.home)).toEqual([]);
    const { stdout } = await test.pulumi(["stack", "export"]);
    expect(stdout).not.toContain(needle);
    const state = await test.emulator.control.state();
    expect(JSON.stringify(state)).not.toContain(needle);
    expect(state.secrets.find(({ name }) => name === "changeling_dev_worker")?.keys).toEqual(["SOME_TOKEN"]);
  });

  it("fires the one whose schedule comes due: an agent commits on its branch, and its run is recorded", async () => {
    const calls = await test.emulator.control.advance(...day("2026-07-02"));
    expect(Object.fromEntries(calls.map(({ app, status }) => [app, status]))).toEqual({
      changeling_dev_worker: "GENERIC_STATUS_SUCCESS",
    });
    const [run] = await test.endedRuns("worker");
    expect(run).toMatchObject({
      changeling: "worker",
      cause: { kind: "schedule" },
      outcome: "succeeded",
      repo: test.repo,
      commits: [{ subject: "Write more" }],
    });
    expect(test.inRepo("log", "--format=%s", `refs/heads/${run?.branch}`)).toBe("Write more\nPast");
  });

  it("shows a schedule change in cron text, in words and with its zone, and applies it; rotates a secret alone", async () => {
    declare(...worker, ...helper, 'schedule = "30 4 * * *"', 'timezone = "Asia/Tokyo"');
    const { stdout } = await test.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"], rotated);
    expect(stdout).toMatch(/SCHEDULE\s*: "0 15 \* \* \*" => "30 4 \* \* \*"/);
    expect(stdout).toMatch(/WHEN\s*: "At 15:00, every day" => "At 04:30, every day"/);
    expect(stdout).toMatch(/TIMEZONE\s*: "UTC" => "Asia\/Tokyo"/);
    expect(stdout).not.toMatch(/second line|rotated-value/);
    const versions = async () =>
      (await test.emulator.control.state()).apps.find(({ name }) => name === "changeling_dev_worker")?.versions.length;
    const before = await versions();
    expect((await test.change(rotated)).ops).toEqual({
      "command:local:Command helper-app": "update",
      "command:local:Command worker-secret": "update",
    });
    expect(await schedules()).toMatchObject({
      changeling_dev_helper: { cron: "30 4 * * *", timezone: "Asia/Tokyo", next: "2026-07-01T19:30:00+00:00" },
    });
    expect(await versions()).toBe(before);
  });

  /** Ids that deployed functions refer to, and that do not exist. */
  const deadIds = async () => {
    const { apps, secrets, volumes } = await test.emulator.control.state();
    const live = new Set([...secrets, ...volumes].map(({ id }) => id));
    const deployed = apps.filter(({ name, state }) => name.startsWith("changeling_") && /DEPLOYED/.test(state));
    const ids = deployed.flatMap(({ functions }) =>
      functions.flatMap((each) => [...each.secrets, ...Object.values(each.volumes)].map(({ id }) => id)),
    );
    return [...new Set(ids)].filter((id) => !live.has(id));
  };

  it("repairs, and says why, an app that somebody stopped and one whose Secret was made again", async () => {
    await client().stopApp("changeling_dev_helper", test.environment());
    await client().deleteSecret("changeling_dev_worker", test.environment());
    await client().putSecret("changeling_dev_worker", test.environment(), rotated);
    expect(await deadIds()).toHaveLength(1);
    const detail = "its Modal Secret was deleted or created again after its app was deployed";
    const doctor = await test.changeling(["doctor", "--json", "--provider", "modal"]);
    expect(JSON.parse(doctor.stdout)).toContainEqual({
      name: "app of worker",
      status: "failed",
      detail,
      remedy: "npm start",
    });
    const { ops, repairs } = await test.change(rotated);
    expect(ops).toEqual({ "command:local:Command helper-app": "update", "command:local:Command worker-app": "update" });
    expect(repairs).toEqual({
      "helper-app": "its Modal app is stopped (repair 1)",
      "worker-app": `${detail} (repair 1)`,
    });
    expect(await deadIds()).toEqual([]);
    expect(await apps()).toMatchObject({ changeling_dev_helper: "APP_STATE_DEPLOYED" });
  });

  it("makes Secrets and volumes that somebody deleted again, and deploys every app again that had them", async () => {
    for (const name of ["changeling_dev_worker", "changelings_dev"]) {
      await client().deleteSecret(name, test.environment());
    }
    await client().deleteVolume("changelings_dev_runs", test.environment());
    expect(await deadIds()).toHaveLength(3);
    const { ops, repairs } = await test.change(rotated);
    expect(ops).toEqual({
      "command:local:Command modal": "update",
      "command:local:Command helper-app": "update",
      "command:local:Command worker-app": "update",
      "command:local:Command worker-secret": "update",
    });
    expect(repairs).toEqual({
      modal: "its volume of run records is missing (repair 1)",
      "helper-app": "what all apps of the stack share is created again (repair 2)",
      "worker-app": "its Modal Secret is created again (repair 2)",
      "worker-secret": "its Modal Secret is missing (repair 1)",
    });
    expect(await deadIds()).toEqual([]);
    // Neither of what the tests above changed.
    expect(await test.preview(rotated)).toEqual({});
  });

  const listed = async () =>
    JSON.parse((await test.changeling(["list", "--json"])).stdout).map(
      ({ name, enabled }: { name: string; enabled: boolean }) => `${name} ${enabled ? "fires" : "is paused"}`,
    );

  it("pauses one alone, in place: no other edit of the file is applied, and no other's secret is needed", async () => {
    declare(...worker, 'schedule = "5 5 * * *"', ...helper, late);
    const paused = await test.changeling(["pause", "helper"]);
    expect(paused.code, paused.stderr).toBe(0);
    expect(await schedules()).toEqual({ changeling_dev_worker: expect.objectContaining({ cron: "0 3 * * *" }) });
    expect(await listed()).toEqual(["helper is paused", "worker fires"]);
    // It is deployed without a schedule, to be run by hand.
    const { code, stdout } = await test.changeling(["run", "helper", "--wait", "--json"]);
    expect(code, stdout).toBe(0);
    const reason = "it made no commit";
    expect(JSON.parse(stdout)).toMatchObject({ cause: { kind: "manual" }, outcome: "no_changes", reason });
  });

  it("resumes it alone; what is listed is what is deployed, also after a deployment that failed", async () => {
    await test.emulator.control.setFaults([
      { method: "AppPublish", status: "RESOURCE_EXHAUSTED", message: "too many" },
    ]);
    expect((await test.changeling(["resume", "helper"])).code).not.toBe(0);
    expect(await listed()).toEqual(["helper is paused", "worker fires"]);
    expect(Object.keys(await schedules())).toEqual(["changeling_dev_worker"]);
    const resumed = await test.changeling(["resume", "helper"]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await listed()).toEqual(["helper fires", "worker fires"]);
    expect(await schedules()).toMatchObject({
      changeling_dev_helper: { cron: "0 15 * * *" },
      changeling_dev_worker: { cron: "0 3 * * *" },
    });
  });

  it("renames in one update: the old app is stopped when the new one is there", async () => {
    declare(...worker, ...helper.with(0, "[changelings.busy]"), late, 'renamed_from = "helper"');
    expect((await test.change(rotated)).ops).toEqual({ "command:local:Command busy-app": "update" });
    expect(Object.keys(await schedules()).sort()).toEqual(["changeling_dev_busy", "changeling_dev_worker"]);
    expect(await apps()).toMatchObject({ changeling_dev_helper: "APP_STATE_STOPPED" });
  });

  it("shows no change from another machine", async () => {
    const other = test.otherMachine();
    expect(await test.preview({ ...rotated, ...other.env })).toEqual({});
    expect(readdirSync(other.home)).not.toContain(".mngr");
  });

  it("leaves nothing that fires, runs or holds a secret on destroy", async () => {
    using work = new Repository(test.bare);
    work.commit({ stay: "" }, { author: "Me", at: "2026-01-02T00:00:00Z" });
    work.git("push", "--quiet", "origin", "main");
    await test.emulator.control.fire("changeling_dev_worker", "fire", { environment: test.environment() });
    const running = async () =>
      (await test.emulator.control.state()).sandboxes.filter(({ status }) => status === "RUNNING").length;
    expect(await running()).toBe(1);
    const { code, stdout } = await test.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
    expect(code, stdout).toBe(0);
    const state = await test.emulator.control.state();
    expect(await schedules()).toEqual({});
    expect(
      state.apps.filter((app) => app.name.startsWith("changeling_") && app.state === "APP_STATE_DEPLOYED"),
    ).toEqual([]);
    expect(state.secrets.filter(({ name }) => name)).toEqual([]);
    expect(await running()).toBe(0);
    // Nor does what mngr keeps of its agents, of which one ran before the secret was rotated.
    for (const value of ["second line", "rotated-value"]) expect(filesHolding(value, test.emulator.folder)).toEqual([]);
  });
});
