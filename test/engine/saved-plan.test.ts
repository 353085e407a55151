import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schedulerState } from "../../components/cron/local/state.ts";
import { secretsPath } from "../../components/secrets/installed.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const fleet = (schedule: string, ...names: string[]) => `
[defaults]
agent_type = "command"
agent_args = ["true"]
schedule = "${schedule}"
${names.map((name) => `[changelings.${name}]`).join("\n")}
`;

describe("an update by a saved plan", () => {
  let test: TestStack;
  beforeAll(async () => {
    test = makeTestStack({ EPSILON: "value" });
    test.declare(fleet("0 3 * * *", "alpha", "beta"));
    const { code, stdout, stderr } = await test.up();
    expect(code, stdout + stderr).toBe(0);
  });
  afterAll(() => test.remove({ destroy: false }));

  const plan = () => join(test.home, "plan.json");
  const save = async () => {
    const args = ["preview", "--save-plan", plan(), "--non-interactive", "--color", "never", "--diff"];
    const { code, stdout, stderr } = await test.pulumi(args);
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const apply = () =>
    test.pulumi(["up", "--plan", plan(), "--yes", "--skip-preview", "--non-interactive", "--color", "never"]);
  const succeed = async () => {
    const { code, stdout, stderr } = await apply();
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const job = (name: string) => join(test.paths.jobs, `${name}.json`);

  /** @returns what the plan shows */
  const drift = async () => {
    await test.endScheduler();
    rmSync(job("alpha"));
    return save();
  };
  const expectRepair = (shown: string, number: number) => {
    expect(shown).toContain(`"the scheduler is not running (repair ${number})"`);
    expect(shown).toContain(`"its job file is missing (repair ${number})"`);
  };
  const expectRepaired = () => {
    expect(schedulerState(test.paths)).toMatchObject({ alive: true });
    expect(existsSync(job("alpha"))).toBe(true);
  };

  it("refuses a fleet that was not reviewed and touches nothing; applies the one that was, with what is added and removed", async () => {
    test.declare(fleet("30 4 * * *", "alpha", "gamma"));
    expect(await save()).toMatch(/SCHEDULE\s*: "0 3 \* \* \*" => "30 4 \* \* \*"/);
    test.declare(fleet("0 7 * * *", "alpha", "gamma"));
    const { code, stdout, stderr } = await apply();
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("violates plan");
    expect(readFileSync(job("alpha"), "utf8")).toContain("0 3 * * *");
    expect(existsSync(job("beta"))).toBe(true);

    test.declare(fleet("30 4 * * *", "alpha", "gamma"));
    await succeed();
    expect(readFileSync(job("alpha"), "utf8")).toContain("30 4 * * *");
    expect([existsSync(job("beta")), existsSync(job("gamma"))]).toEqual([false, true]);
  });

  it("repairs what drifted", async () => {
    expectRepair(await drift(), 1);
    await succeed();
    expectRepaired();
  });

  it("fails with each reason once and no stack, also for what depends on it, and then removes nothing", async () => {
    const secret = `[changelings.epsilon]\nsecrets = ["EPSILON"]`;
    test.declare(fleet("15 6 * * *", "alpha", "delta", "epsilon").replace("[changelings.epsilon]", secret));
    // The former repairs left nothing to repair.
    expect(await save()).not.toMatch(/DRIFT *: "[^"]+"/);
    const inTheWay = [job("delta"), secretsPath(test.paths, "epsilon")];
    for (const path of inTheWay) mkdirSync(path, { recursive: true, mode: 0o700 });
    const { code, stdout, stderr } = await apply();
    const said = stdout + stderr;
    expect(code).not.toBe(0);
    const summary = said.slice(said.indexOf("Diagnostics:"));
    expect(summary.match(/error: .*delta\.json/g)).toHaveLength(1);
    expect(summary.match(/error: .*epsilon\.json/g)).toHaveLength(1);
    expect(summary.match(/not everything could be applied/g)).toHaveLength(1);
    expect(summary.match(/what depends on epsilon-secrets was not applied either/g)).toHaveLength(1);
    expect(said).not.toMatch(/failed to register|unhandled|^\s+at /m);
    expect(existsSync(job("gamma"))).toBe(true);
    for (const path of inTheWay) rmdirSync(path);
  });

  it("continues what failed, and repairs what drifted once more", async () => {
    expectRepair(await drift(), 2);
    await succeed();
    expect(["alpha", "delta", "epsilon", "gamma"].map((name) => existsSync(job(name)))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expectRepaired();
  });

  it("applies a plan that changes nothing", async () => {
    expect(await save()).toMatch(/Resources:\n +10 unchanged\n/);
    expect(await succeed()).toMatch(/Resources:\n +10 unchanged\n/);
  });
});
