import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeJob } from "../../components/cron/local/installed-files.ts";
import { jobFile } from "../../components/cron/local/job.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import { isAlive } from "../../components/lib/process.ts";
import { readSecrets, writeSecrets } from "../../components/secrets/installed.ts";
import { filesHolding } from "../support/files-holding.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const fleet = (...lines: string[]) =>
  `[defaults]\nagent_type = "command"\nagent_args = ["true"]\n${lines.join("\n")}\n`;
const job = (test: TestStack, name: string) => join(test.paths.jobs, `${name}.json`);

describe("a fleet from its first up to its destroy", () => {
  let test: TestStack;
  beforeAll(() => {
    test = makeTestStack();
  });
  afterAll(() => test.remove({ destroy: false }));

  it("creates each changeling and one scheduler", async () => {
    test.declare(fleet("[changelings.alpha]", "[changelings.beta]", 'schedule = "0 6 * * 1-5"'));
    expect((await test.change()).ops).toEqual({
      "pulumi:pulumi:Stack changelings-dev": "create",
      "changelings:cron:CronChangeling alpha": "create",
      "changelings:cron:CronChangeling beta": "create",
      "changelings:cron:LocalScheduler scheduler": "create",
      "command:local:Command alpha-job": "create",
      "command:local:Command beta-job": "create",
      "command:local:Command scheduler": "create",
    });
    expect(JSON.parse(readFileSync(job(test, "beta"), "utf8"))).toMatchObject({ spec: { schedule: "0 6 * * 1-5" } });
    expect(statSync(job(test, "alpha")).mode & 0o777).toBe(0o600);
    expect(statSync(test.paths.jobs).mode & 0o777).toBe(0o700);
    expect(schedulerState(test.paths)).toMatchObject({ alive: true, current: true });
  });

  it("sends the engine the SDK's debug messages only when asked to", async () => {
    const messages = async (env: NodeJS.ProcessEnv) => {
      const { stdout } = await test.pulumi(["preview", "--debug", "--non-interactive"], env);
      return stdout.match(/RegisterResource RPC finished/g)?.length ?? 0;
    };
    const resources = 7;
    // The root component is created before this program's first line.
    expect(await messages({})).toBeLessThan(resources);
    expect(await messages({ CHANGELINGS_DEBUG: "1" })).toBeGreaterThanOrEqual(resources);
    const { stdout } = await test.pulumi(["stack", "export"]);
    expect(stdout).not.toContain("components/command.ts");
  });

  it("shows nothing when nothing changed but comments and order", async () => {
    test.declare(
      fleet("# the second first", "[changelings.beta]", 'schedule = "0 6 * * 1-5" # weekdays', "[changelings.alpha]"),
    );
    expect(await test.preview()).toEqual({});
  });

  it("shows a schedule change in cron text, in words and with its zone, and applies it in place", async () => {
    test.declare(
      fleet(
        "[changelings.alpha]",
        'schedule = "30 4 * * *"',
        'timezone = "Asia/Tokyo"',
        "[changelings.beta]",
        'schedule = "0 6 * * 1-5"',
      ),
    );
    const { stdout } = await test.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"]);
    expect(stdout).toMatch(/SCHEDULE\s*: "0 3 \* \* \*" => "30 4 \* \* \*"/);
    expect(stdout).toMatch(/WHEN\s*: "At 03:00, every day" => "At 04:30, every day"/);
    expect(stdout).toMatch(/TIMEZONE\s*: "[^"]+" => "Asia\/Tokyo"/);
    const before = schedulerState(test.paths);
    expect((await test.change()).ops).toEqual({ "command:local:Command alpha-job": "update" });
    expect(JSON.parse(readFileSync(job(test, "alpha"), "utf8"))).toMatchObject({ spec: { schedule: "30 4 * * *" } });
    expect(schedulerState(test.paths).pid).toBe(before.pid);
  });

  it("gives the outputs that scripts read, none of which changes with the clock", async () => {
    const { stdout } = await test.pulumi(["stack", "output", "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      changelings: {
        alpha: {
          kind: "cron",
          provider: "local",
          schedule: "30 4 * * *",
          scheduleInWords: "At 04:30, every day",
          timezone: "Asia/Tokyo",
          enabled: true,
        },
        beta: expect.objectContaining({ scheduleInWords: "At 06:00, Monday through Friday", enabled: true }),
      },
    });
  });

  it.each([
    ["edited", () => editJob(), "its job file was edited by hand"],
    ["edited, with the digest in it,", () => forgeJob(), "its job file was edited by hand"],
    ["removed", () => rmSync(job(test, "alpha")), "its job file is missing"],
    ["made readable", () => chmodSync(job(test, "alpha"), 0o644), "its job file can be read by others"],
  ])("shows a job file that was %s by hand, and repairs it", async (_what, damage, drift) => {
    const whole = readFileSync(job(test, "alpha"), "utf8");
    damage();
    const { ops, output } = await test.change();
    expect(ops).toEqual({ "command:local:Command alpha-job": "update" });
    expect(output).toContain(drift);
    expect(readFileSync(job(test, "alpha"), "utf8")).toBe(whole);
    expect(statSync(job(test, "alpha")).mode & 0o777).toBe(0o600);
  });

  it("shows nothing after these repairs", async () => {
    expect(await test.preview()).toEqual({});
  });

  function editJob(): void {
    const text = readFileSync(job(test, "alpha"), "utf8");
    writeFileSync(job(test, "alpha"), text.replace("30 4", "31 4"));
  }

  /** As another process of the same user can. */
  function forgeJob(): void {
    const { spec } = jobFile.parse(JSON.parse(readFileSync(job(test, "alpha"), "utf8")));
    writeJob(test.paths, { ...spec, agent: { ...spec.agent, args: ["sh", "-c", "echo forged"] } });
  }

  it("disables in place, and removes what is no longer declared", async () => {
    test.declare(fleet("[changelings.beta]", "enabled = false"));
    expect((await test.change()).ops).toEqual({
      "changelings:cron:CronChangeling alpha": "delete",
      "command:local:Command alpha-job": "delete",
      "command:local:Command beta-job": "update",
    });
    expect(existsSync(job(test, "alpha"))).toBe(false);
    expect(JSON.parse(readFileSync(job(test, "beta"), "utf8"))).toMatchObject({ spec: { enabled: false } });
  });

  it("renames in one update: the old job is gone when the new one is there", async () => {
    test.declare(fleet("[changelings.gamma]", 'renamed_from = "beta"', "enabled = false"));
    const { ops, output } = await test.change();
    expect(ops).toEqual({ "command:local:Command gamma-job": "update" });
    // Its job file is still there, under the former name: no drift.
    expect(output).toContain('"environment.NAME":{');
    expect(output).not.toContain('"environment.DRIFT":{');
    expect(existsSync(job(test, "beta"))).toBe(false);
    expect(existsSync(job(test, "gamma"))).toBe(true);
    expect(await test.preview()).toEqual({});
  });

  it("leaves nothing behind on destroy", async () => {
    const { pid = 0 } = schedulerState(test.paths);
    expect(pid).toBeGreaterThan(0);
    expect((await test.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"])).code).toBe(0);
    expect(existsSync(test.paths.root)).toBe(false);
    // It has released its lock; the process itself ends a moment later.
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

describe("secrets", () => {
  const value = "hush-4f1d9c-do-not-tell";
  let test: TestStack;
  beforeAll(() => {
    test = makeTestStack();
    test.declare(
      fleet("[changelings.alpha]", 'secrets = ["MY_TOKEN"]', "[changelings.beta]", 'secrets = ["MY_TOKEN", "OTHER"]'),
    );
  });
  afterAll(() => test.remove({ destroy: false }));

  it("fails up before any change when one is missing, and names all; preview warns", async () => {
    const preview = await test.pulumi(["preview", "--non-interactive", "--color", "never"]);
    expect(preview.code, preview.stdout).toBe(0);
    expect(preview.stdout + preview.stderr).toMatch(/warning: .*alpha.*MY_TOKEN/);
    const { code, stdout, stderr } = await test.up();
    expect(code).not.toBe(0);
    for (const name of ["alpha", "beta", "MY_TOKEN", "OTHER"]) expect(stdout + stderr).toContain(name);
    expect(existsSync(test.paths.root)).toBe(false);
  });

  it("keeps a value out of the state, the output, and every file except its own, which has mode 0600", async () => {
    const env = { MY_TOKEN: value, OTHER: "other" };
    const shown = await test.up(env);
    expect(shown.code, shown.stdout).toBe(0);
    // `up` would refuse to go without them, so nothing is removed.
    expect(await test.preview()).toEqual({});
    expect(await test.preview({ OTHER: "other" })).toEqual({});
    const diff = await test.pulumi(["preview", "--diff"], { ...env, MY_TOKEN: `${value}2` });
    expect(shown.stdout + shown.stderr + diff.stdout + diff.stderr).not.toContain(value);
    const holding = filesHolding(value, test.home);
    expect(holding).toEqual(["alpha", "beta"].map((name) => join(test.paths.secrets, `${name}.json`)));
    for (const path of holding) expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("rotates one by its own resource alone", async () => {
    expect(await test.preview({ MY_TOKEN: value, OTHER: "rotated" })).toEqual({
      "command:local:Command beta-secrets": "update",
    });
  });

  it("shows a secrets file that was edited, with the digest in it", async () => {
    const env = { MY_TOKEN: value, OTHER: "other" };
    writeSecrets(test.paths, "beta", { MY_TOKEN: value, OTHER: "forged" });
    const { ops, output } = await test.change(env);
    expect(ops).toEqual({ "command:local:Command beta-secrets": "update" });
    expect(output).toContain("its secrets file was edited by hand");
    expect(output).not.toContain("forged");
    expect(readSecrets(test.paths, "beta")).toEqual({ MY_TOKEN: value, OTHER: "other" });
    expect(await test.preview(env)).toEqual({});
  });

  it("takes a value from the stack's configuration too; the environment wins", async () => {
    await test.pulumi(["config", "set", "--secret", "changelings:OTHER", "configured"]);
    expect((await test.up({ MY_TOKEN: value })).code).toBe(0);
    const secrets = () => JSON.parse(readFileSync(join(test.paths.secrets, "beta.json"), "utf8"));
    expect(secrets()).toMatchObject({ values: { OTHER: "configured" } });
    expect((await test.up({ MY_TOKEN: value, OTHER: "environment" })).code).toBe(0);
    expect(secrets()).toMatchObject({ values: { OTHER: "environment" } });
  });
});
