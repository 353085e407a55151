import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devFolder } from "../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { FakeForge } from "../support/fake-forge.ts";
import { killWhileCreating, pipelineJob } from "./pipeline-job.ts";
import { savedState } from "./saved-state.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const fleet = (...lines: string[]) =>
  `[defaults]\nagent_type = "command"\nagent_args = ["true"]\n${lines.join("\n")}\n`;

let test: TestStack;

beforeAll(() => {
  test = makeTestStack();
});
afterAll(() => test.remove());

const locksFolder = () => join(devFolder(test.home), "backend/.pulumi/locks/organization/changelings/dev");
const locks = () => readdirSync(locksFolder()).filter((name) => name.endsWith(".json"));

/** As if the holder of the lock had been on another machine, where its process can't be looked for. */
function moveLockTo(hostname: string): void {
  for (const name of locks()) {
    const file = join(locksFolder(), name);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), hostname }));
  }
}

const backend = () => join(devFolder(test.home), "backend");

const pendingCreates = () =>
  savedState(backend(), "dev").pending_operations.map(({ resource }) => resource.urn.split("::").at(-1));

/** Changes the stack's settings for some work. */
async function withSettings(change: (settings: string) => string, work: () => Promise<void>): Promise<void> {
  const file = test.stack.configFile ?? "";
  const settings = readFileSync(file, "utf8");
  writeFileSync(file, change(settings));
  try {
    await work();
  } finally {
    writeFileSync(file, settings);
  }
}

const tags = async () => JSON.parse((await test.pulumi(["stack", "tag", "ls", "--json"])).stdout);

describe("preview", () => {
  it("writes the plan to a file and to the job's summary, and touches nothing", async () => {
    test.declare(fleet("[changelings.alpha]", 'schedule = "0 6 * * 1-5"', 'timezone = "Asia/Tokyo"'));
    const [out, summary] = [join(test.home, "plan.md"), join(test.home, "summary.md")];
    const env = { GITHUB_STEP_SUMMARY: summary };
    const { code, stdout, stderr } = await pipelineJob(test, ["preview", "--out", out], { env });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    const plan = readFileSync(out, "utf8");
    const [table, next] = plan.split("| next runs |  | ");
    expect(table).toBe(
      [
        "### Plan for `dev`",
        "",
        "**2 are added.**",
        "",
        "#### The scheduler is added",
        "",
        "#### `alpha` is added",
        "",
        "| | before | after |",
        "|---|---|---|",
        "| when |  | At 06:00, Monday through Friday |",
        "| schedule |  | `0 6 * * 1-5` |",
        "| time zone |  | Asia/Tokyo |",
        "",
      ].join("\n"),
    );
    expect(next).toMatch(/^(\w{3} \d{1,2} \w{3} 06:00(<br>)?){3} \|\n$/);
    expect(readFileSync(summary, "utf8")).toBe(plan);
    expect(existsSync(test.paths.root)).toBe(false);
    await expectOneComment(out, plan);
  });

  async function expectOneComment(file: string, plan: string): Promise<void> {
    const forge = new FakeForge({ "job-token": { login: "github-actions[bot]", isApp: true, mayWrite: true } });
    const event = join(test.home, "event.json");
    const head = { sha: "1a2b3c", repo: { full_name: "me/fleet" } };
    writeFileSync(event, JSON.stringify({ pull_request: { number: 7, head, base: { repo: head.repo } } }));
    const job = { GITHUB_REPOSITORY: "me/fleet", GITHUB_EVENT_PATH: event, GITHUB_TOKEN: "job-token" };
    const env = { ...job, GITHUB_API_URL: await forge.listen() };
    try {
      const added = await pipelineJob(test, ["comment", file], { env });
      expect(added).toEqual({ code: 0, stdout: "The plan is a new comment on pull request 7.\n", stderr: "" });
      const edited = await pipelineJob(test, ["comment", file], { env });
      expect(edited).toEqual({ code: 0, stdout: "The plan's comment on pull request 7 is edited.\n", stderr: "" });
      expect(forge.comments.map(({ body }) => body)).toEqual([`<!-- changelings plan: dev -->\n${plan}`]);
    } finally {
      await forge.close();
    }
  }

  it("reports in the plan that changelings would run on the job's own machine, and fails", async () => {
    const env = { CI: "true", CHANGELINGS_STACK: "dev", PULUMI_CONFIG_PASSPHRASE_FILE: "set" };
    const { code, stdout, stderr } = await pipelineJob(test, ["preview"], { env });
    expect(code).toBe(1);
    expect(stdout).toContain("**This can't be applied**, for the errors below.");
    expect(stdout).toContain('alpha: provider = "local" means the machine that applies the fleet');
    expect(stderr).toContain('error: alpha: provider = "local"');
  });

  it("needs no key: compared with nothing, and it says so", async () => {
    const key = { PULUMI_CONFIG_PASSPHRASE: "", PULUMI_BACKEND_URL: "s3://no-such-bucket?region=eu-central-1" };
    const setSecret = ["config", "set", "--secret", "changelings:MY_TOKEN", "hush-value"];
    await withSettings(String, async () => {
      expect((await test.pulumi(setSecret)).code).toBe(0);
      const { code, stdout, stderr } = await pipelineJob(test, ["preview", "--without-state"], { env: key });
      expect(code, stderr).toBe(0);
      expect(stdout).toContain("so the fleet is compared with an empty stack: every changeling is shown as added");
      expect(stdout).toContain("#### `alpha` is added");
      expect(stdout + stderr).not.toContain("hush-value");
    });
  });

  it("says in the plan that a pipeline's fleet needs its time zone, with the line and the remedy", async () => {
    test.declare(fleet("[changelings.alpha]"));
    const env = { CI: "true", CHANGELINGS_STACK: "dev" };
    await withSettings(
      (settings) => settings.replace(/^ +changelings:timezone: .*\n/m, ""),
      async () => {
        const { code, stdout } = await pipelineJob(test, ["preview"], { env });
        expect(code).toBe(1);
        const file = join(devFolder(test.home), "fleet.toml");
        expect(stdout).toContain(
          [
            "#### Errors",
            "",
            "```text",
            "the fleet file has errors:",
            `${file}:1: no time zone is set, and that of a CI machine is arbitrary`,
            '    → write timezone = "Europe/Berlin" (yours) at the top of the file',
            "```",
            "",
          ].join("\n"),
        );
      },
    );
  });
});

describe("apply", () => {
  it("refuses what a job can't apply, before anything is touched", async () => {
    test.declare(fleet("[changelings.alpha]"));
    const env = { CI: "true", CHANGELINGS_STACK: "dev" };
    const keyless = await pipelineJob(test, ["apply", "--exclusive"], { env });
    expect(keyless).toMatchObject({ code: 1, stdout: "" });
    expect(keyless.stderr).toMatch(/^error: this job has no key of the stack: set PULUMI_CONFIG_PASSPHRASE/);
    const key = { PULUMI_CONFIG_PASSPHRASE_FILE: "set" };
    const local = await pipelineJob(test, ["apply", "--exclusive"], { env: { ...env, ...key } });
    expect(local).toMatchObject({ code: 1, stdout: "" });
    expect(local.stderr).toMatch(
      /^error: this job can't apply the fleet:\nalpha: provider = "local" means the machine/,
    );
    expect(existsSync(test.paths.root)).toBe(false);
    expect(
      savedState(backend(), "dev")
        .resources.map(({ urn }) => urn)
        .join(),
    ).not.toContain("alpha");
  });

  it("takes up what a killed job left: its lock, and the create that it was in, from another checkout", async () => {
    test.declare(fleet("[changelings.alpha]"));
    expect((await test.up()).code).toBe(0);
    test.declare(fleet("[changelings.alpha]", "[changelings.beta]"));
    await killWhileCreating(test, "beta", ["apply", "--exclusive"]);
    expect(locks()).toHaveLength(1);
    expect(pendingCreates()).toEqual(["beta-job"]);
    moveLockTo("runner-1");
    await test.pulumi(["stack", "tag", "set", "changelings:applying-on", "runner-1"]);

    const checkout = join(test.home, "checkout");
    for (const part of ["components", "scripts", "changelings", "index.ts", "package.json", "Pulumi.yaml"]) {
      cpSync(join(projectFolder, part), join(checkout, part), { recursive: true });
    }
    symlinkSync(join(projectFolder, "node_modules"), join(checkout, "node_modules"));
    const { code, stdout, stderr } = await pipelineJob(test, ["apply", "--exclusive"], { checkout });
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("A job on runner-1 was killed: its lock is removed, and its work is continued.\n");
    expect(stdout).toContain("An earlier update was killed; its operations are now complete.\n");
    expect(pendingCreates()).toEqual([]);
    expect(await tags()).toEqual({});
    expect(readdirSync(test.paths.jobs).sort()).toEqual(["alpha.json", "beta.json"]);
    expect(await test.preview()).toEqual({});
  });

  it("keeps a lock that no killed job holds, and reports its holder", async () => {
    test.declare(fleet("[changelings.alpha]", "[changelings.beta]", "[changelings.gamma]"));
    await killWhileCreating(test, "gamma", ["apply"]);
    moveLockTo("laptop");
    const { code, stderr } = await pipelineJob(test, ["apply", "--exclusive"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /error: the stack dev is being applied by \S+@laptop \(pid \d+\) since \S+, which is not a killed job/,
    );
    expect(locks()).toHaveLength(1);
    expect(await tags()).toEqual({});
  });

  it("reports an interrupted create that is no longer declared", async () => {
    await test.pulumi(["cancel", "--yes"]);
    test.declare(fleet("[changelings.alpha]", "[changelings.beta]"));
    const { code, stderr } = await pipelineJob(test, ["apply", "--exclusive"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(
      "warning: an earlier update was killed while it created gamma-job, which is no longer declared",
    );
    expect(pendingCreates()).toEqual(["gamma-job"]);
  });
});
