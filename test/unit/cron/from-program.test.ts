import { describe, expect, it } from "vitest";
import { changelingOf } from "../../../components/cron/from-program.ts";
import { ChangelingOptionsError } from "../../../components/fleet/program-options.ts";
import { crons, Sandbox } from "../../support/fleet-sandbox.ts";

function problemsOf(name: string, options: object): ChangelingOptionsError["problems"] {
  try {
    changelingOf(name, { repo: "/app", ...options });
  } catch (error) {
    if (error instanceof ChangelingOptionsError) return error.problems;
    throw error;
  }
  return [];
}

describe("a changeling from a program", () => {
  it("has the defaults of the fleet file", async () => {
    using sandbox = new Sandbox();
    const repo = sandbox.repo("app");
    const { fleet } = await sandbox.load(`[changelings.fixme-fairy]\nrepo = "${repo}"\ntimezone = "Asia/Tokyo"`);
    expect(changelingOf("fixme-fairy", { repo, timezone: "Asia/Tokyo" })).toEqual(fleet?.changelings[0]);
  });

  it("is the same as that of a file, given all its options", async () => {
    using sandbox = new Sandbox();
    sandbox.repo("app");
    const { fleet } = await sandbox.load(
      `[changelings.a]\nagent_type = "claude"\nrepo = "app"\nschedule = "* * * * *"\nallow_frequent = true\nenv = { A = "1" }\nsecrets = ["B"]\nkeep_runs = 0\ndescription = "x"`,
    );
    const [declared] = crons(fleet);
    if (declared === undefined) throw new Error("the file has errors");
    const { name, ...options } = declared;
    expect(changelingOf(name, options)).toEqual(declared);
  });

  it("on Modal is the same too, its remote and its durations included", async () => {
    using sandbox = new Sandbox();
    const repo = sandbox.repo("app");
    sandbox.git("-C", repo, "remote", "add", "origin", "git@github.com:me/app.git");
    sandbox.git("-C", repo, "update-ref", "refs/remotes/origin/main", "main");
    const { fleet } = await sandbox.load(
      `[changelings.a]\nagent_type = "claude"\nrepo = "app"\nprovider = "modal"\nimage = "snapshot"\nsnapshot_max_age = "7d"\nbuild_args = ["cpu=2"]\nsecrets = []\ncatch_up = false`,
    );
    const [declared] = crons(fleet);
    if (declared === undefined) throw new Error("the file has errors");
    const { name, ...options } = declared;
    expect(changelingOf(name, options)).toEqual(declared);
    expect(changelingOf(name, { ...options, snapshotMaxAge: "1w" })).toEqual(declared);
    expect(changelingOf(name, { ...options, remote: undefined, repo: "ssh://git@github.com/me/app.git" })).toEqual({
      ...declared,
      repo: "ssh://git@github.com/me/app.git",
    });
  });

  it("on Modal needs a remote, which is not looked up", () => {
    const reason = (options: object) => problemsOf("a", { provider: "modal", ...options });
    expect(reason({})).toEqual([
      {
        option: "repo",
        reason: `agents on Modal clone the repository by https, and a program's options don't say where its remote is; add remote: "https://…", or pass the URL as repo`,
      },
    ]);
    expect(reason({ remote: "/srv/app" })).toEqual([
      {
        option: "remote",
        reason:
          'the repository is /srv/app, which an agent on another machine can\'t reach by https; write its https URL: repo = "https://…"',
      },
    ]);
    expect(reason({ repo: "file:///srv/app" }).map(({ option }) => option)).toEqual(["repo"]);
    expect(reason({ repo: "ftp://example.com/app" }).map(({ option }) => option)).toEqual(["repo"]);
    expect(reason({ repo: "git@github.com:me/app.git", snapshotMaxAge: 1.5, image: "snapshot" })).toEqual([
      { option: "snapshotMaxAge", reason: '"1.5s" is not a duration; write snapshot_max_age = "7d"' },
    ]);
  });

  it("has no remote on this machine, whatever is given", () => {
    expect(changelingOf("test-troll", { repo: "/app", remote: "https://github.com/me/app" }).remote).toBeUndefined();
  });

  it("is conversational if its type is, or if the program says so", () => {
    expect(changelingOf("test-troll", { repo: "/app" }).isConversational).toBe(true);
    expect(changelingOf("a", { repo: "/app", agentType: "todo-ledger" }).isConversational).toBe(false);
    expect(changelingOf("a", { repo: "/app", agentType: "mine", isConversational: true }).isConversational).toBe(true);
  });

  it("reports all errors together, with the program's names", () => {
    expect(
      problemsOf("Bad Name", {
        schedule: "x",
        timezone: "Nowhere",
        buildArgs: ["a"],
        env: { PATH: "x" },
        secrets: ["LD_X"],
      }),
    ).toEqual([
      {
        option: "name",
        reason:
          '"Bad Name" is not a valid name for a changeling: a lower-case letter, then up to 39 lower-case letters, digits or -; write [changelings.bad-name]',
      },
      {
        option: "schedule",
        reason:
          '"x" has one field: a schedule has five (minute, hour, day of month, month, day of week); write all five, for instance "0 3 * * *" for 03:00 every day',
      },
      {
        option: "timezone",
        reason: 'there is no time zone "Nowhere"; write an IANA name, for instance: timezone = "Europe/Berlin"',
      },
      {
        option: "buildArgs",
        reason:
          'the provider "local" takes no build arguments: it builds no image or host; remove the line, or write build_args = []',
      },
      {
        option: "secrets[0]",
        reason: "LD_X is reserved: it configures the programs that run the agent; use another name",
      },
      {
        option: "env.PATH",
        reason: "PATH is reserved: it configures the programs that run the agent; use another name",
      },
    ]);
  });

  it("is not refused for what a fleet file is only warned of", () => {
    expect(problemsOf("a", { env: { KEY: `ghp_${"a1B2".repeat(9)}` } })).toEqual([]);
  });

  it("checks the good options beside bad ones", () => {
    const options = problemsOf("a", { keepRuns: -1, timezone: "Nowhere" }).map(({ option }) => option);
    expect(options).toEqual(["keepRuns", "timezone"]);
  });

  it("has limits and types", () => {
    expect(problemsOf("a", { timeoutSeconds: 5, keepRuns: "many", overlap: "both", secrets: ["A", 1] })).toEqual([
      { option: "secrets[1]", reason: "expected a string, found 1; write the value in quotes" },
      { option: "timeoutSeconds", reason: "5 is too small; write 60 seconds or more" },
      { option: "overlap", reason: 'there is no overlap "both"; write overlap = "skip" or overlap = "queue"' },
      { option: "keepRuns", reason: 'expected a number, found the string "many"; write keep_runs = 20' },
    ]);
    expect(() => changelingOf("a", { repo: "/app", timeoutSeconds: 5 })).toThrow(
      "changeling a: timeoutSeconds: 5 is too small",
    );
  });

  it("does not show a secret that is in the place of a name", () => {
    const token = `ghp_${"a1B2".repeat(9)}`;
    expect(JSON.stringify(problemsOf("a", { secrets: [token], branch: `${token} x`, schedule: token }))).not.toContain(
      token,
    );
  });
});
