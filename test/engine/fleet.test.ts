import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeJob } from "../../components/cron/local/installed-files.ts";
import { jobFile } from "../../components/cron/local/job.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import { isAlive } from "../../components/lib/process.ts";
import { readSecrets, writeSecrets } from "../../components/secrets/installed.ts";
import { devFolder } from "../../scripts/stack/dev-stack.ts";
import { filesHolding } from "../support/files-holding.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const fleet = (...lines: string[]) =>
  `[defaults]\nagent_type = "command"\nagent_args = ["true"]\n${lines.join("\n")}\n`;
/** Options of a preview whose output is searched for text. */
const readable = ["--non-interactive", "--color", "never"];
const job = (test: TestStack, name: string) => join(test.paths.jobs, `${name}.json`);

describe("a fleet from its first up to its destroy", () => {
  const names = ["alpha", "beta"] as const;
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

  it("shows nothing when nothing changed but comments and order, and sends the engine no debug messages", async () => {
    test.declare(
      fleet("# the second first", "[changelings.beta]", 'schedule = "0 6 * * 1-5" # weekdays', "[changelings.alpha]"),
    );
    const { stdout } = await test.pulumi(["preview", "--debug", ...readable]);
    expect(stdout).toMatch(/Resources:\n +7 unchanged\n/);
    // The root component is created before this program's first line.
    expect(debugMessages(stdout)).toBeLessThan(7);
    const state = join(devFolder(test.home), "backend", ".pulumi", "stacks", "changelings", "dev.json");
    expect(readFileSync(state, "utf8")).not.toContain("components/command.ts");
  });

  it("repairs job files, one that was edited and one that is missing, and says why", async () => {
    const whole = jobTexts();
    editJob();
    rmSync(job(test, "beta"));
    const change = await test.change();
    expect(change.ops).toEqual(bothJobs);
    expect(change.repairs).toEqual({
      "alpha-job": "its job file was edited by hand (repair 1)",
      "beta-job": "its job file is missing (repair 1)",
    });
    expect(jobTexts()).toEqual(whole);
    expectPrivateJobs();
  });

  it("shows a schedule change in cron text, in words and with its zone, and nothing of the former repairs", async () => {
    test.declare(
      fleet(
        "[changelings.alpha]",
        'schedule = "30 4 * * *"',
        'timezone = "Asia/Tokyo"',
        "[changelings.beta]",
        'schedule = "0 6 * * 1-5"',
      ),
    );
    const { stdout } = await test.pulumi(["preview", "--diff", ...readable]);
    expect(stdout).toMatch(/SCHEDULE\s*: "0 3 \* \* \*" => "30 4 \* \* \*"/);
    expect(stdout).toMatch(/WHEN\s*: "At 03:00, every day" => "At 04:30, every day"/);
    expect(stdout).toMatch(/TIMEZONE\s*: "[^"]+" => "Asia\/Tokyo"/);
    expect(stdout).not.toMatch(/DRIFT\s*: "[^"]*" =>/);
    expect(stdout).toMatch(/Resources:\n +~ 1 to update\n +6 unchanged\n/);
  });

  it("applies it in place; in the same update, repairs one that was edited with the digest in it and one that was made readable", async () => {
    const [, beta] = jobTexts();
    forgeJob();
    chmodSync(job(test, "beta"), 0o644);
    const before = schedulerState(test.paths);
    const { ops, repairs } = await test.change();
    expect(ops).toEqual(bothJobs);
    expect(repairs).toEqual({
      "alpha-job": "its job file was edited by hand (repair 2)",
      "beta-job": "its job file can be read by others (repair 2)",
    });
    expect(JSON.parse(readFileSync(job(test, "alpha"), "utf8"))).toMatchObject({
      spec: { schedule: "30 4 * * *", agent: { args: ["true"] } },
    });
    expect(jobTexts()[1]).toBe(beta);
    expectPrivateJobs();
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

  /** How many messages of the SDK the engine got. */
  function debugMessages(output: string): number {
    return output.match(/RegisterResource RPC finished/g)?.length ?? 0;
  }

  const bothJobs = { "command:local:Command alpha-job": "update", "command:local:Command beta-job": "update" };
  const jobTexts = () => names.map((name) => readFileSync(job(test, name), "utf8"));

  function expectPrivateJobs(): void {
    for (const name of names) expect(statSync(job(test, name)).mode & 0o777).toBe(0o600);
  }

  function editJob(): void {
    const text = readFileSync(job(test, "alpha"), "utf8");
    writeFileSync(job(test, "alpha"), text.replace("0 3", "1 3"));
  }

  /** As another process of the same user can. */
  function forgeJob(): void {
    const { spec } = jobFile.parse(JSON.parse(readFileSync(job(test, "alpha"), "utf8")));
    writeJob(test.paths, { ...spec, agent: { ...spec.agent, args: ["sh", "-c", "echo forged"] } });
  }

  it("disables and renames in place, in the update that removes what is no longer declared", async () => {
    test.declare(fleet("[changelings.gamma]", 'renamed_from = "beta"', "enabled = false"));
    const { ops, repairs, output } = await test.change();
    expect(ops).toEqual({
      "changelings:cron:CronChangeling alpha": "delete",
      "command:local:Command alpha-job": "delete",
      "command:local:Command gamma-job": "update",
    });
    expect(output).toContain('"environment.NAME":{');
    expect(output).toContain('"environment.ENABLED":{');
    // Its job file is still there, under the former name: no drift.
    expect(repairs).toEqual({});
    for (const gone of names) expect(existsSync(job(test, gone))).toBe(false);
    expect(JSON.parse(readFileSync(job(test, "gamma"), "utf8"))).toMatchObject({ spec: { enabled: false } });
  });

  it("shows nothing after that, and sends the engine the SDK's debug messages when asked to", async () => {
    const { stdout } = await test.pulumi(["preview", "--debug", ...readable], { CHANGELINGS_DEBUG: "1" });
    expect(stdout).toMatch(/Resources:\n +5 unchanged\n/);
    expect(debugMessages(stdout)).toBeGreaterThanOrEqual(5);
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
  const env = { MY_TOKEN: value, OTHER: "other" };
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
    await test.pulumi(["config", "set", "--secret", "changelings:OTHER", "configured"]);
    const shown = await test.up(env);
    expect(shown.code, shown.stdout).toBe(0);
    // The environment's value, not the stack's.
    expect(readSecrets(test.paths, "beta")).toEqual({ MY_TOKEN: value, OTHER: "other" });
    // `up` would refuse to go without them, so nothing is removed: all are missing, and one of two.
    expect(await test.preview({ OTHER: "other" })).toEqual({});
    const holding = filesHolding(value, test.home);
    expect(holding).toEqual(["alpha", "beta"].map((name) => join(test.paths.secrets, `${name}.json`)));
    for (const path of holding) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(shown.stdout + shown.stderr).not.toContain(value);
  });

  it("rotates one by its own resource alone, and shows no value", async () => {
    const { stdout, stderr } = await test.pulumi(["preview", "--diff", ...readable], { ...env, OTHER: `${value}2` });
    expect(stdout).toMatch(/Resources:\n +~ 1 to update\n +8 unchanged\n/);
    expect(stdout).toMatch(/ ~ command:local:Command: \(update\)\s+\[id=\S+\]\s+\[urn=\S+::beta-secrets\]/);
    expect(stdout + stderr).not.toContain(value);
  });

  it("shows a secrets file that was edited, with the digest in it", async () => {
    writeSecrets(test.paths, "beta", { MY_TOKEN: value, OTHER: "forged" });
    const { ops, repairs, output } = await test.change(env);
    expect(ops).toEqual({ "command:local:Command beta-secrets": "update" });
    expect(repairs).toEqual({ "beta-secrets": "its secrets file was edited by hand (repair 1)" });
    expect(output).not.toContain("forged");
    expect(readSecrets(test.paths, "beta")).toEqual({ MY_TOKEN: value, OTHER: "other" });
  });

  it("takes a value from the stack's configuration if the environment has none", async () => {
    const { ops, repairs } = await test.change({ MY_TOKEN: value });
    expect(ops).toEqual({ "command:local:Command beta-secrets": "update" });
    // Nor was anything left to repair.
    expect(repairs).toEqual({});
    expect(readSecrets(test.paths, "beta")).toEqual({ MY_TOKEN: value, OTHER: "configured" });
  });
});
