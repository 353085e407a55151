import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installedJobs, JobStore, jobPath, writeJob } from "../../../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../../../components/cron/local/job.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { isAlive } from "../../../../components/lib/process.ts";

let home: string;
const paths = () => installationPaths("lab", home);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "jobs-"));
});
afterEach(() => rmSync(home, { recursive: true }));

function spec(name: string): JobSpec {
  return {
    name,
    enabled: true,
    schedule: "0 3 * * *",
    timezone: "UTC",
    catchUp: true,
    overlap: "skip",
    timeoutSeconds: 60,
    settleSeconds: 5,
    keepRuns: 5,
    repo: "/repo",
    branch: "main",
    agent: { type: "todo", mngrType: "command", isConversational: false, args: [], buildArgs: [], env: {} },
  };
}

describe("installed jobs", () => {
  it("are the same for observers and for the scheduler: an edited job is reported, and not fired", () => {
    for (const name of ["troll", "fairy", "edited"]) writeJob(paths(), spec(name));
    const edited = jobPath(paths(), "edited");
    writeFileSync(edited, readFileSync(edited, "utf8").replace("0 3 * * *", "* * * * *"));
    writeFileSync(jobPath(paths(), "torn"), '{"version":1,');
    writeFileSync(jobPath(paths(), "renamed"), readFileSync(jobPath(paths(), "fairy")));
    writeFileSync(join(paths().jobs, ".draft.json"), "{}");
    mkdirSync(join(paths().jobs, "folder.json"));

    const { jobs, problems } = installedJobs(paths());
    expect(jobs.map(({ name }) => name)).toEqual(["fairy", "troll"]);
    expect(problems).toEqual([
      { name: "edited", problem: `${edited} was edited by hand; repair it with: pulumi up` },
      { name: "folder", problem: `${jobPath(paths(), "folder")} is not a job file; repair it with: pulumi up` },
      { name: "renamed", problem: `${jobPath(paths(), "renamed")} was edited by hand; repair it with: pulumi up` },
      { name: "torn", problem: `${jobPath(paths(), "torn")} is not a job file; repair it with: pulumi up` },
    ]);

    const store = new JobStore(paths());
    store.refresh();
    expect(store.jobs().map(({ spec }) => spec)).toEqual(jobs);
    expect(store.problems()).toEqual(problems);
  });

  it("is nothing before the first `up`", () => {
    expect(installedJobs(paths())).toEqual({ jobs: [], problems: [] });
  });
});

it("isAlive is true for a running process only", () => {
  expect(isAlive(process.pid)).toBe(true);
  expect(isAlive(process.ppid)).toBe(true);
  // Larger than any system's largest.
  expect(isAlive(2 ** 30)).toBe(false);
});
