import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schedulerState } from "../../components/cron/local/state.ts";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { installations, readClaim } from "../../components/host/claims.ts";
import { unclaimedIds } from "../../components/host/installation.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { devFolder } from "../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { backendOf, identityOfStack, pulumi, type Stack, stackEnvironment } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

/** A stack that changes its name and its backend while it stays the same: one fleet, with one scheduler, all the time. */
describe("a stack's installation", () => {
  let test: TestStack;
  let stack: Stack;
  let id: string;
  let pid: number | undefined;
  const quiet = ["--yes", "--skip-preview", "--non-interactive", "--color", "never"];

  beforeAll(async () => {
    test = makeTestStack();
    stack = test.stack;
    test.declare('[defaults]\nagent_type = "command"\nagent_args = ["true"]\n[changelings.alpha]\nsecrets = []\n');
    const { code, stdout, stderr } = await up();
    expect(code, stdout + stderr).toBe(0);
    await makeAsBeforeClaims();
  });
  afterAll(async () => {
    const left = installations(test.home);
    // The last test removed it, unless one failed.
    if (left.length > 0) await run(stack, "destroy", ...quiet);
    for (const { id: each } of left) await stopScheduler(each, { endRuns: false }, test.home);
    await test.remove({ destroy: false });
  });

  const run = (on: Stack, ...args: string[]) => pulumi(on, args, { capture: true, env: test.env });
  const up = (env: NodeJS.ProcessEnv = {}) =>
    pulumi(stack, ["up", ...quiet], { capture: true, env: { ...test.env, ...env } });
  const paths = () => installationPaths(id, test.home);

  /** In the folder of the stack's settings, which `stack rename` and `stack init` change. */
  function inFolder(of: Stack, ...args: string[]): void {
    const env = { ...test.env, ...stackEnvironment(of) };
    execFileSync("pulumi", args, { cwd: devFolder(test.home), env, stdio: "pipe" });
  }

  /** What the release before claims left: an id of the backend's text, and no claim. */
  async function makeAsBeforeClaims(): Promise<void> {
    const made = installations(test.home)[0]?.id ?? "";
    id = unclaimedIds(identityOfStack(stack, test.home), [backendOf(stack)])[0] ?? "";
    expect(id).not.toBe(made);
    await stopScheduler(made, { endRuns: false }, test.home);
    const { stdout } = await run(stack, "stack", "export");
    const file = join(test.home, "state.json");
    writeFileSync(file, stdout.replaceAll(made, id));
    await run(stack, "stack", "import", "--file", file);
    renameSync(installationPaths(made, test.home).root, paths().root);
    rmSync(join(paths().root, "stack.json"));
  }

  /** A stack with the settings of this one. */
  function copyOf(from: Stack, name: string, backend = from.backend): Stack {
    const configFile = join(devFolder(test.home), `Pulumi.${name}.yaml`);
    const made: Stack = { ...from, name, ...(backend === undefined ? {} : { backend }), configFile };
    cpSync(from.configFile ?? "", configFile, { force: true });
    inFolder(made, "stack", "init", name, "--no-select");
    return made;
  }

  async function importInto(to: Stack, from: Stack): Promise<void> {
    const { stdout } = await run(from, "stack", "export");
    const file = join(test.home, "state.json");
    const renamed = stdout.replaceAll(`urn:pulumi:${from.name}::`, `urn:pulumi:${to.name}::`);
    writeFileSync(file, renamed.replaceAll(`Stack::changelings-${from.name}`, `Stack::changelings-${to.name}`));
    const { code, stderr } = await run(to, "stack", "import", "--file", file);
    expect(code, stderr).toBe(0);
  }

  function changeling(...args: string[]): string {
    const script = join(projectFolder, "scripts", "changeling", "changeling.ts");
    const env = { ...test.env, ...stackEnvironment(stack) };
    return execFileSync(process.execPath, [script, ...args], { env, encoding: "utf8", stdio: "pipe" });
  }

  /** One fleet: nothing changed, and what fires it is the very process that did before. */
  async function expectTheSameFleet(env: NodeJS.ProcessEnv = {}): Promise<void> {
    const { code, stdout, stderr } = await up(env);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/Resources:\n +\d+ unchanged\n/);
    expect(installations(test.home).map((each) => each.id)).toEqual([id]);
    expect(schedulerState(paths())).toMatchObject({ alive: true, pid });
    expect(readClaim(paths())).toMatchObject(identityOfStack(stack, test.home));
  }

  async function expectRefusal(of: Stack): Promise<void> {
    const jobs = readFileSync(join(paths().jobs, "alpha.json"), "utf8");
    for (const command of ["preview", "up"]) {
      const { code, stdout } = await run(
        of,
        command,
        ...quiet.filter((option) => command === "up" || /non|color|never/.test(option)),
      );
      expect(code).not.toBe(0);
      expect(stdout).toContain(`which on this machine belongs to the stack organization/changelings/${stack.name}`);
      expect(stdout).toContain(`npm run changeling -- adopt --stack organization/changelings/${of.name}`);
      expect(stdout).toContain("stack rm --force");
    }
    expect(installations(test.home).map((each) => each.id)).toEqual([id]);
    expect(schedulerState(paths()).pid).toBe(pid);
    expect(readFileSync(join(paths().jobs, "alpha.json"), "utf8")).toBe(jobs);
  }

  it("that was made before claims keeps its id, with updates alone", async () => {
    expect(await test.preview()).toEqual({ "command:local:Command scheduler": "update" });
    expect(existsSync(join(paths().root, "stack.json"))).toBe(false);
    const { code, stdout } = await up();
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/created|replaced|deleted/);
    pid = schedulerState(paths()).pid;
  });

  it("stays when the stack is renamed, and for another spelling of the backend", async () => {
    inFolder(stack, "stack", "rename", "prod", "--stack", "dev");
    stack = { ...stack, name: "prod", configFile: join(devFolder(test.home), "Pulumi.prod.yaml") };
    await expectTheSameFleet({
      PULUMI_BACKEND_URL: `file://${test.home}/.changelings/../.changelings/dev/backend/`,
    });
  });

  it("is not shared with a copy of the stack; what replaces the stack takes it over", async () => {
    const copy = copyOf(stack, "copy");
    await importInto(copy, stack);
    await expectRefusal(copy);
    await run(stack, "stack", "rm", "--yes", "--force", "--preserve-config");
    stack = copy;
    await expectTheSameFleet();
  });

  it("moves to another backend, when the former stack is gone or a person says so", async () => {
    const backend = join(test.home, "other backend");
    mkdirSync(backend);
    const moved = copyOf(stack, "moved", `file://${backend}`);
    await importInto(moved, stack);
    await expectRefusal(moved);
    const former = stack;
    stack = moved;
    expect(changeling("adopt", "--stack", "moved")).toContain(id);
    await expectTheSameFleet();
    stack = moved;
    const { code, stdout } = await run(former, "up", ...quiet);
    expect(code).not.toBe(0);
    expect(stdout).toContain("belongs to the stack organization/changelings/moved");
  });

  it("is not started on a second machine beside the first, unless a person says so", async () => {
    // As the state looks when another machine applied it.
    const file = join(test.home, "state.json");
    const { stdout } = await run(stack, "stack", "export", "--show-secrets");
    const { machine = "" } = readClaim(paths()) ?? {};
    const elsewhere = stdout.replace(/(host[\\"]+:[\\"]+)[^\\"]+/, "$1laptop").replaceAll(machine, "another");
    expect(elsewhere).not.toBe(stdout);
    writeFileSync(file, elsewhere);
    expect((await run(stack, "stack", "import", "--file", file)).code).toBe(0);
    const preview = await run(stack, "preview", "--non-interactive", "--color", "never");
    expect(preview.code, preview.stdout).toBe(0);
    expect(preview.stdout).toContain("was started on another machine, laptop, and may run there");
    const refused = await up();
    expect(refused.code).not.toBe(0);
    expect(refused.stdout).toContain("was started on another machine, laptop");
    expect(changeling("adopt", "--stack", "moved")).toContain(id);
    await stopScheduler(id, { endRuns: false }, test.home);
    expect((await up()).code).toBe(0);
    // The next test expects the same fleet.
    pid = schedulerState(paths()).pid;
  });

  it("is not destroyed from a machine that has nothing of it", async () => {
    const home = join(test.home, "other-machine");
    mkdirSync(home);
    const env = { ...test.env, HOME: home, MNGR_HOST_DIR: join(home, ".mngr") };
    const { code, stdout } = await pulumi(stack, ["destroy", ...quiet], { capture: true, env });
    expect(code).not.toBe(0);
    expect(stdout).toContain(`this machine has no files of the stack's installation ${id}`);
    await expectTheSameFleet();
  });

  it("is named by doctor when its stack is gone, and discarded", async () => {
    await run(stack, "stack", "rm", "--yes", "--force", "--preserve-config");
    const said = changelingDoctor();
    expect(said).toContain(`npm run changeling -- discard ${id}`);
    expect(changeling("discard", id)).toContain("removed");
    expect(installations(test.home)).toEqual([]);
  });

  function changelingDoctor(): string {
    try {
      return changeling("doctor");
    } catch (error) {
      return error instanceof Error && "stdout" in error ? String(error.stdout) : "";
    }
  }
});
