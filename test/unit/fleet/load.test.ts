import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadFleet } from "../../../components/kinds.ts";
import { crons, Sandbox, usualSettings } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
const app = sandbox.repo("app", ["main", "develop"]);
const tool = sandbox.repo("home/src/tool");
afterAll(() => sandbox[Symbol.dispose]());

describe("a name alone", () => {
  it("is a whole changeling, with the defaults of the specification", async () => {
    expect(await sandbox.load("[changelings.fixme-fairy]\n", { repo: "app" })).toEqual({
      diagnostics: [],
      fleet: {
        file: sandbox.file,
        mngrProfile: undefined,
        changelings: [
          {
            name: "fixme-fairy",
            kind: "cron",
            provider: "local",
            agentType: "fixme-fairy",
            isConversational: true,
            schedule: "0 3 * * *",
            timezone: "Europe/Berlin",
            branch: "main",
            enabled: true,
            secrets: ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"],
            secretsAreExplicit: false,
            requiredSecrets: [["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]],
            template: undefined,
            initialMessage: undefined,
            buildArgs: [],
            agentArgs: [],
            env: {},
            repo: app,
            remote: undefined,
            image: "clone",
            historyDepth: 1,
            allowUnpushed: false,
            snapshotMaxAge: undefined,
            verify: "call",
            timeoutSeconds: 3600,
            overlap: "skip",
            catchUp: true,
            catchUpWithinSeconds: 86_400,
            fetch: true,
            settleSeconds: 60,
            keepRuns: 5,
            description: undefined,
            renamedFrom: undefined,
          },
        ],
        settings: usualSettings,
      },
    });
  });
});

describe("options", () => {
  it("are all used; a changeling's own options override the file's defaults, which override the built-in ones", async () => {
    const { fleet, diagnostics } = await sandbox.load(
      `
mngr_profile = "changelings"
timezone = "UTC"

[defaults]
repo = "~/src/tool"
keep_runs = 9
secrets = ["A"]
env = { X = "1", Y = "2" }

[changelings.zeta]
agent_type = "claude"

[changelings.alpha]
agent_type = "command"
agent_args = ["make", "report"]
schedule = " */2   6-9 * * 1"
allow_frequent = true
timezone = "america/new_york"
enabled = false
repo = "app"
branch = "develop"
secrets = ["A", "B", "A"]
initial_message = "Go"
build_args = []
env = { Z = "3" }
timeout_seconds = 60
settle_seconds = 5
overlap = "queue"
catch_up = false
catch_up_within = "2h"
fetch = false
keep_runs = 0
description = "First"
renamed_from = "omega"
`,
    );
    expect(diagnostics).toEqual([]);
    expect(fleet?.mngrProfile).toBe("changelings");
    expect(fleet?.changelings.map(({ name }) => name)).toEqual(["alpha", "zeta"]);
    expect(fleet?.changelings[0]).toEqual({
      name: "alpha",
      kind: "cron",
      provider: "local",
      agentType: "command",
      isConversational: false,
      schedule: "*/2 6-9 * * 1",
      timezone: "America/New_York",
      branch: "develop",
      enabled: false,
      secrets: ["A", "B"],
      secretsAreExplicit: true,
      requiredSecrets: [["A"], ["B"]],
      template: undefined,
      initialMessage: "Go",
      buildArgs: [],
      agentArgs: ["make", "report"],
      env: { Z: "3" },
      repo: app,
      remote: undefined,
      image: "clone",
      historyDepth: 1,
      allowUnpushed: false,
      snapshotMaxAge: undefined,
      verify: "call",
      timeoutSeconds: 60,
      overlap: "queue",
      catchUp: false,
      catchUpWithinSeconds: 7200,
      fetch: false,
      settleSeconds: 5,
      keepRuns: 0,
      description: "First",
      renamedFrom: "omega",
    });
    expect(fleet?.changelings[1]).toMatchObject({
      repo: tool,
      timezone: "UTC",
      keepRuns: 9,
      secrets: ["A"],
      secretsAreExplicit: true,
      env: { X: "1", Y: "2" },
    });
  });

  it("mean the same in another order, with other comments and in other layouts", async () => {
    const one = await sandbox.load(
      `[changelings.fixme-fairy]\nschedule = "0 6 * * 1-5"\nkeep_runs = 3\n[changelings.code-guardian]\n`,
      { repo: "app" },
    );
    const other = await sandbox.load(
      `# Mine\nchangelings.code-guardian = {}\n[changelings.fixme-fairy] # a\nkeep_runs = 3\n\n  "schedule" = '0  6 * * 1-5'\n`,
      { repo: "app" },
    );
    expect(one.fleet).toBeDefined();
    expect(other).toEqual(one);
  });
});

describe("the time zone", () => {
  const changeling = "[changelings.fixme-fairy]\nrepo = 'app'\n";
  const zoneOf = async (text: string, context: Parameters<Sandbox["load"]>[1]) =>
    crons((await sandbox.load(text, context)).fleet)[0]?.timezone;

  it("is the changeling's, else the file's, else the stack's, else the machine's", async () => {
    const stack = { timezone: "Asia/Tokyo", ci: true };
    expect(await zoneOf(`timezone = "UTC"\n${changeling}timezone = "Asia/Kathmandu"`, stack)).toBe("Asia/Kathmandu");
    expect(await zoneOf(`timezone = "UTC"\n[defaults]\ntimezone = "Asia/Dubai"\n${changeling}`, stack)).toBe(
      "Asia/Dubai",
    );
    expect(await zoneOf(`timezone = "UTC"\n${changeling}`, stack)).toBe("UTC");
    expect(await zoneOf(changeling, stack)).toBe("Asia/Tokyo");
    expect(await zoneOf(changeling, {})).toBe("Europe/Berlin");
  });

  it("must be set in CI, reported once for all", async () => {
    expect(await sandbox.diagnosticsOf(`${changeling}[changelings.code-guardian]\nrepo = "app"`, { ci: true })).toEqual(
      [
        "config.toml:1: no time zone is set, and that of a CI machine is arbitrary",
        '→ write timezone = "Europe/Berlin" (yours) at the top of the file, or: pulumi config set changelings:timezone Europe/Berlin',
      ],
    );
  });

  it("must be known on the machine", async () => {
    expect((await sandbox.diagnosticsOf(changeling, { machineTimezone: () => "Etc/Unknown" }))[0]).toBe(
      "config.toml:1: no time zone is set, and this machine has none",
    );
  });

  it("of the machine is not determined if it is set", async () => {
    const never = { timezone: "UTC", machineTimezone: (): never => expect.unreachable() };
    expect(await sandbox.diagnosticsOf(changeling, never)).toEqual([]);
  });

  it("is repaired where it is set", async () => {
    expect(await sandbox.diagnosticsOf(changeling, { timezone: "Asia/Tokio" })).toEqual([
      'config.toml:1: the stack\'s changelings:timezone: there is no time zone "Asia/Tokio"',
      "→ did you mean: pulumi config set changelings:timezone Asia/Tokyo",
    ]);
    expect(await sandbox.diagnosticsOf(`timezone = "UTC"\n${changeling}`, { timezone: "Asia/Tokio" })).toEqual([]);
  });
});

describe("the repository", () => {
  it("is by default the stack's, relative to the project", async () => {
    const { fleet } = await sandbox.load("[changelings.fixme-fairy]", {
      repo: "../app",
      folder: join(sandbox.folder, "home"),
    });
    expect(crons(fleet)[0]?.repo).toBe(app);
    const other = await sandbox.load("[changelings.fixme-fairy]", { repo: "~/src/tool" });
    expect(crons(other.fleet)[0]?.repo).toBe(tool);
  });

  it("is the one around the fleet file if the stack has none", async () => {
    const file = sandbox.write("app/fleets/mine.toml", "[changelings.fixme-fairy]");
    const { fleet } = await loadFleet({ file, context: sandbox.context() });
    expect(crons(fleet)[0]?.repo).toBe(app);
  });

  it("must be somewhere", async () => {
    expect(await sandbox.diagnosticsOf("\n[changelings.fixme-fairy]")).toEqual([
      "config.toml:2: changelings.fixme-fairy: no repository is set, and the fleet file is not in one",
      '→ write repo = "<path or URL>" here or below [defaults], or: pulumi config set changelings:repo <path or URL>',
    ]);
  });

  it("is reported once if the stack's is wrong", async () => {
    const text = "[changelings.fixme-fairy]\n[changelings.code-guardian]\n";
    expect(await sandbox.diagnosticsOf(text, { repo: "nowhere" })).toEqual([
      "config.toml:1: the stack's changelings:repo: there is no folder <folder>/nowhere",
      "→ clone the repository there, or correct the path",
    ]);
    expect((await sandbox.diagnosticsOf(text, { repo: "https://a:b@example.com/c" }))[0]).toBe(
      "config.toml:1: the stack's changelings:repo: the URL contains a credential, which would be visible in the stack's state and in process lists",
    );
  });
});

describe("a fleet of 1,000", () => {
  it("starts one git process for each repository", async () => {
    using own = new Sandbox();
    for (const name of ["one", "two"]) own.repo(name);
    const { environment, calls } = own.countedGit();
    const text = Array.from(
      { length: 1000 },
      (_, index) => `[changelings.c-${index}]\nagent_type = "claude"\nrepo = "${index % 2 ? "one" : "two"}"\n`,
    ).join("");
    const { fleet, diagnostics } = await own.load(text, { environment });
    expect(diagnostics).toEqual([]);
    expect(fleet?.changelings).toHaveLength(1000);
    expect(calls()).toBe(2);
  });
});
