import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schedulerState } from "../../components/cron/local/state.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { devFolder } from "../../scripts/stack/dev-stack.ts";
import { installationOf, pulumi, stackEnvironment } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const fleet = `
[defaults]
agent_type = "command"
agent_args = ["true"]
[changelings.alpha]
[changelings.beta]
`;

describe("a create that fails", () => {
  let test: TestStack;
  beforeAll(() => {
    test = makeTestStack();
    test.declare(fleet);
  });
  afterAll(() => test.remove({ destroy: false }));

  it("does not stop the others, reports its reason and its exit code, and is adopted by the next up", async () => {
    const obstacle = join(test.paths.jobs, "alpha.json");
    mkdirSync(obstacle, { recursive: true, mode: 0o700 });
    const failed = await test.up();
    expect(failed.code).not.toBe(0);
    expect(failed.stdout + failed.stderr).toMatch(/error: .*alpha\.json/);
    expect(existsSync(join(test.paths.jobs, "beta.json"))).toBe(true);
    rmdirSync(obstacle);
    expect((await test.change()).ops).toEqual({ "command:local:Command alpha-job": "create" });
  });

  it("starts a scheduler that was killed, with its supervisor, by the next up", async () => {
    const { pid } = schedulerState(test.paths);
    expect((await test.endScheduler()).pid).toBe(pid);
    const { ops, output } = await test.change();
    // Nothing else is left to do after the failed create.
    expect(ops).toEqual({ "command:local:Command scheduler": "update" });
    expect(output).toContain("the scheduler is not running");
    expect(schedulerState(test.paths)).toMatchObject({ alive: true, current: true });
  });

  it("is not disturbed by a second stack on the same machine", async () => {
    const folder = devFolder(test.home);
    const other = { ...test.stack, name: "other", configFile: join(folder, "Pulumi.other.yaml") };
    const paths = installationPaths(installationOf(other), test.home);
    const run = (...args: string[]) => pulumi(other, args, { capture: true, env: test.env });
    const quiet = ["--yes", "--skip-preview", "--non-interactive"];
    // `stack init` writes beside Pulumi.yaml: not here, but in the folder of the test's own stack.
    execFileSync("pulumi", ["stack", "init", "other", "--no-select"], {
      cwd: folder,
      env: { ...test.env, ...stackEnvironment(other) },
      stdio: "pipe",
    });
    const settings = readFileSync(test.stack.configFile ?? "", "utf8")
      .split("\n")
      .slice(1);
    writeFileSync(other.configFile, readFileSync(other.configFile, "utf8") + settings.join("\n"));
    const made = await run("up", ...quiet);
    expect(made.code, made.stdout + made.stderr).toBe(0);
    const [first, second] = [schedulerState(test.paths), schedulerState(paths)];
    expect(first.alive && second.alive && first.pid !== second.pid).toBe(true);
    expect((await run("destroy", ...quiet)).code).toBe(0);
    expect(existsSync(paths.root)).toBe(false);
    expect(schedulerState(test.paths)).toEqual(first);
    expect(await test.preview()).toEqual({});
  });
});
