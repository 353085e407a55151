import { afterAll, describe, expect, it } from "vitest";
import { Sandbox } from "./fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("app", ["main", "develop"]);
sandbox.repo("empty", []);
sandbox.repo("old", ["master", "feature/x"]);
sandbox.write("file", "");
sandbox.write("plain/file", "");
afterAll(() => sandbox[Symbol.dispose]());

const token = `ghp_${"a1B2".repeat(9)}`;

/** What one file says, line by line, and what is then told: the place with what is wrong, then the remedy. */
const oneFault: readonly [title: string, text: string, where: string, remedy: string][] = [
  // The file.
  ["an unknown key", `timezon = "UTC"`, 'config.toml:1: timezon: unknown key "timezon"', 'did you mean "timezone"?'],
  [
    "a key that nothing is like",
    "colour = 1",
    'config.toml:1: colour: unknown key "colour"',
    "the file's own keys are mngr_profile, timezone, defaults, changelings",
  ],
  [
    "a changeling that isn't below changelings",
    "[fixme-fairy]",
    'config.toml:1: fixme-fairy: unknown table "fixme-fairy"',
    "for a changeling write [changelings.fixme-fairy]",
  ],
  [
    "an option at the top",
    `branch = "main"`,
    'config.toml:1: branch: "branch" is an option of a changeling',
    "move it below [defaults], or below a changeling's table",
  ],
  [
    "a list of changelings",
    "[[changelings]]",
    "config.toml:1: changelings: expected a table, found a list",
    "write [changelings.<name>] for each changeling",
  ],
  ["defaults that are none", "defaults = 1", "config.toml:1: defaults: expected a table, found 1", "write [defaults]"],
  [
    "a changeling that is no table",
    "[changelings]\nfixme-fairy = true",
    "config.toml:2: changelings.fixme-fairy: expected a table, found true",
    "write [changelings.fixme-fairy] on a line of its own",
  ],
  [
    "a bad profile",
    `mngr_profile = "../x"`,
    'config.toml:1: mngr_profile: "../x" is no mngr profile: letters, digits, - and _',
    'write mngr_profile = "changelings"',
  ],
  [
    "a zone of the wrong type",
    "timezone = 1",
    "config.toml:1: timezone: expected a string, found 1",
    "write the value in quotes",
  ],
  [
    "a bad zone of the file",
    `timezone = "Europe/Berln"`,
    'config.toml:1: timezone: there is no time zone "Europe/Berln"',
    'did you mean: timezone = "Europe/Berlin"',
  ],
  [
    "renamed_from for all",
    `[defaults]\nrenamed_from = "x"`,
    "config.toml:2: defaults.renamed_from: renamed_from can't be a default",
    "write it below the renamed changeling",
  ],
  [
    "a bad default",
    `[defaults]\nkeep_runs = -1\n[changelings.fixme-fairy]\n[changelings.code-guardian]`,
    "config.toml:2: defaults.keep_runs: -1 is too little",
    "write 0 runs or more",
  ],
  [
    "a default that only shows with a changeling, told once",
    `[defaults]\nschedule = "x"\n[changelings.fixme-fairy]\n[changelings.code-guardian]`,
    'config.toml:2: defaults.schedule: "x" has one field: a schedule has five (minute, hour, day of month, month, day of week)',
    'write all five, for instance "0 3 * * *" for 03:00 every day',
  ],
  // Names.
  [
    "a bad name",
    "[changelings.Fixme_Fairy]\nagent_type = 'claude'",
    'config.toml:1: changelings.Fixme_Fairy: "Fixme_Fairy" is no name for a changeling: a lower-case letter, then up to 39 lower-case letters, digits or -',
    "write [changelings.fixme-fairy]",
  ],
  [
    "a name with nothing to save",
    "[changelings.'7 _']\nagent_type = 'claude'",
    'config.toml:1: changelings."7 _": "7 _" is no name for a changeling: a lower-case letter, then up to 39 lower-case letters, digits or -',
    "give it another name",
  ],
  [
    "a former name that is still there",
    "[changelings.fixme-fairy]\n[changelings.code-guardian]\nrenamed_from = 'fixme-fairy'",
    "config.toml:3: changelings.code-guardian.renamed_from: two changelings would use the name fixme-fairy: it is declared too",
    "remove [changelings.fixme-fairy], or this line",
  ],
  [
    "a former name of two",
    "[changelings.fixme-fairy]\nrenamed_from = 'x'\n[changelings.code-guardian]\nrenamed_from = 'x'",
    "config.toml:4: changelings.code-guardian.renamed_from: two changelings would use the name x: fixme-fairy was renamed from it too",
    "remove one of the two lines",
  ],
  [
    "a former name that is its own",
    "[changelings.fixme-fairy]\nrenamed_from = 'fixme-fairy'",
    "config.toml:2: changelings.fixme-fairy.renamed_from: fixme-fairy is its own former name",
    "remove the line",
  ],
  [
    "a former name that never was one",
    "[changelings.fixme-fairy]\nrenamed_from = 'X Y'",
    'config.toml:2: changelings.fixme-fairy.renamed_from: "X Y" is no changeling\'s name',
    'write renamed_from = "old-name"',
  ],
];

/** One line below `[changelings.fixme-fairy]`, on line 4. */
const oneOption: readonly [line: string, where: string, remedy: string][] = [
  ["shedule = '0 3 * * *'", 'shedule: unknown option "shedule"', 'did you mean "schedule"?'],
  ["color = 1", 'color: unknown option "color"', "see changelings/REFERENCE.md for all options"],
  [
    "mngr_profile = 'x'",
    'mngr_profile: "mngr_profile" is a key of the file',
    "move it to the top of the file, above all tables",
  ],
  [
    "enabled = 'yes'",
    'enabled: expected true or false, found the string "yes"',
    "write enabled = true or enabled = false",
  ],
  ["keep_runs = '5'", 'keep_runs: expected a number, found the string "5"', "write keep_runs = 20"],
  ["keep_runs = 1.5", "keep_runs: expected a whole number, found 1.5", "write keep_runs = 20"],
  ["keep_runs = 1001", "keep_runs: 1001 is too much", "write 1000 runs or less"],
  ["timeout_seconds = 59", "timeout_seconds: 59 is too little", "write 60 seconds or more"],
  ["timeout_seconds = 86401", "timeout_seconds: 86401 is too much", "write 86400 seconds or less"],
  ["schedule = 3", "schedule: expected a string, found 3", "write the value in quotes"],
  ["schedule = 03:00:00", "schedule: expected a string, found a date", 'write schedule = "0 6 * * 1-5"'],
  [
    "secrets = 'GITHUB_TOKEN'",
    'secrets: expected a list, found the string "GITHUB_TOKEN"',
    'write secrets = ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "NPM_TOKEN"]',
  ],
  ["env = ['A']", "env: expected a table, found a list", 'write env = { LOG_LEVEL = "debug" }'],
  ["env = { A = 1 }", "env.A: expected a string, found a number", "write the value in quotes"],
  ["env = { 'A B' = '1' }", 'env."A B": "A B" is no name of a variable', "use letters, digits and _ alone"],
  [
    "initial_message = ''",
    "initial_message: is empty",
    'write initial_message = "Fix one FIXME and say which.", or leave the line out',
  ],
  ['initial_message = "a\\u0000"', "initial_message: holds a NUL character", "remove it"],
  ["overlap = 'que'", 'overlap: there is no overlap "que"', 'did you mean overlap = "queue"?'],
  ["overlap = 'both'", 'overlap: there is no overlap "both"', 'write overlap = "skip" or overlap = "queue"'],
  ["overlap = true", "overlap: found true", 'write overlap = "skip" or overlap = "queue"'],
  ["kind = 'web'", 'kind: the kind "web" is not in this version', 'write kind = "cron", or leave the line out'],
  [
    "kind = 'seed-agent'",
    'kind: the kind "seed-agent" is not in this version',
    'write kind = "cron", or leave the line out',
  ],
  ["kind = 'crn'", 'kind: there is no kind "crn"', 'did you mean kind = "cron"?'],
  [
    "provider = 'modal'",
    'provider: the provider "modal" is not in this version',
    'write provider = "local", or leave the line out',
  ],
  [
    "provider = 'docker'",
    'provider: the provider "docker" is not in this version',
    'write provider = "local", or leave the line out',
  ],
  // Schedules and zones.
  [
    "schedule = '0 0 3 * * *'",
    'schedule: "0 0 3 * * *" has six fields: a schedule has five, without seconds',
    'write "0 3 * * *"',
  ],
  [
    "schedule = '0 0 31 2 *'",
    'schedule: "0 0 31 2 *" never fires: no month of it has such a day',
    'write a day of month (the third field) that exists; for the first of each month: "0 0 1 * *"',
  ],
  [
    "schedule = '* * * * *'",
    'schedule: "* * * * *" fires a minute apart, more often than every 5 minutes',
    'write "*/5 * * * *", or write allow_frequent = true if it is meant',
  ],
  ["timezone = 'berlin'", 'timezone: there is no time zone "berlin"', 'did you mean: timezone = "Europe/Berlin"'],
  [
    "timezone = '+02:00'",
    'timezone: there is no time zone "+02:00"',
    'write an IANA name, for instance: timezone = "Europe/Berlin"',
  ],
  [
    "settle_seconds = 3600",
    "settle_seconds: with 3600 s to settle, no run ends before its timeout of 3600 s",
    "write fewer settle_seconds, or more timeout_seconds",
  ],
  // Secrets and variables.
  ["secrets = ['PATH']", "secrets[0]: PATH is reserved: it steers the programs that run the agent", "use another name"],
  [
    "secrets = ['A', 'LD_PRELOAD']",
    "secrets[1]: LD_PRELOAD is reserved: it steers the programs that run the agent",
    "use another name",
  ],
  [
    "secrets = ['MODAL_TOKEN_ID']",
    "secrets[0]: MODAL_TOKEN_ID is reserved: it steers the programs that run the agent",
    "use another name",
  ],
  [
    "secrets = ['github token']",
    'secrets[0]: "github token" is no name of a variable: capital letters, digits and _',
    "write the name of the variable that holds the secret, not the secret",
  ],
  [
    `secrets = ['${token}']`,
    "secrets[0]: (a value that looks like a secret) is no name of a variable: capital letters, digits and _",
    "write the name of the variable that holds the secret, not the secret",
  ],
  [
    "secrets = ['GITHUB_TOKEN', 'GH_TOKEN']",
    "secrets[1]: GITHUB_TOKEN reaches the agent as GH_TOKEN too, so both can't be listed",
    'remove "GH_TOKEN", or "GITHUB_TOKEN" if they differ',
  ],
  [
    "env = { GH_TOKEN = 'x' }",
    "env.GH_TOKEN: the secret GITHUB_TOKEN reaches the agent as GH_TOKEN too",
    "remove GH_TOKEN from env, or GITHUB_TOKEN from secrets",
  ],
  [
    "env = { GITHUB_TOKEN = 'x' }",
    "env.GITHUB_TOKEN: GITHUB_TOKEN is both a secret and in env",
    "remove GITHUB_TOKEN from env, or from secrets",
  ],
  [
    "env = { NODE_OPTIONS = 'x' }",
    "env.NODE_OPTIONS: NODE_OPTIONS is reserved: it steers the programs that run the agent",
    "use another name",
  ],
  [
    "build_args = ['--no-cache']",
    'build_args: the provider "local" takes no build arguments: it builds no image or host',
    "remove the line, or write build_args = []",
  ],
  // Agents.
  [
    "agent_type = 'fixme-fary'",
    'agent_type: mngr knows no agent type "fixme-fary"',
    'did you mean agent_type = "fixme-fairy"?',
  ],
  [
    "agent_type = 'command'",
    "agent_type: a command agent needs its command",
    'write agent_args, for instance agent_args = ["make", "report"]',
  ],
  [
    "agent_type = 'headless_claude'",
    'agent_type: "headless_claude" only runs in the foreground (mngr create --foreground), and a scheduled run has none',
    'write agent_type = "claude"',
  ],
  [
    "agent_type = 'a b'",
    'agent_type: "a b" is no agent type: letters, digits, - and _',
    'write agent_type = "fixme-fairy"',
  ],
  [
    "template = 'my-template'",
    'template: mngr\'s settings have no create template "my-template"',
    "define it below [create_templates] in .mngr/settings.toml, or remove the line",
  ],
  // Repositories and branches.
  ["repo = 'nowhere'", "repo: there is no folder <folder>/nowhere", "clone the repository there, or correct the path"],
  [
    "repo = '~/nowhere'",
    "repo: there is no folder <folder>/home/nowhere",
    "clone the repository there, or correct the path",
  ],
  ["repo = 'file'", "repo: <folder>/file is a file", "name the repository's folder"],
  ["repo = 'plain'", "repo: <folder>/plain is no git repository", "git -C <folder>/plain init, or correct the path"],
  [
    "repo = 'empty'",
    "repo: <folder>/empty has no commits yet",
    'commit something: git -C <folder>/empty commit --allow-empty -m "First commit"',
  ],
  ["repo = 'old'", 'the repository has no branch "main"', 'did you mean branch = "master"?'],
  ["branch = 'devlop'", 'branch: the repository has no branch "devlop"', 'did you mean branch = "develop"?'],
  ["branch = 'release-2020'", 'branch: the repository has no branch "release-2020"', 'did you mean branch = "main"?'],
  ["branch = '--all'", 'branch: "--all" is no branch name', 'write a name such as branch = "main"'],
  ["branch = 'a:b'", 'branch: "a:b" is no branch name', 'write a name such as branch = "main"'],
  [
    "repo = 'https://me:hunter2@example.com/a/b.git'",
    "repo: the URL holds a credential, which would reach the stack's state and process lists",
    "write https://example.com/a/b.git and give git the credential: git credential approve, or gh auth login",
  ],
  [
    `repo = 'https://${token}@github.com/a/b'`,
    "repo: the URL holds a credential, which would reach the stack's state and process lists",
    "write https://github.com/a/b and give git the credential: git credential approve, or gh auth login",
  ],
  ["repo = 'ext::sh -c true'", "repo: git's remote helpers are not allowed here", "write an https:// or ssh:// URL"],
  [
    "repo = 'ftp://example.com/a'",
    "repo: is no URL that git can clone from",
    "write an https:// or ssh:// URL, or a path",
  ],
];

describe("one fault is told with its line and its remedy:", () => {
  it.each(oneFault)("%s", async (_title, text, where, remedy) => {
    expect(await sandbox.faultsOf(text, { repo: "app" })).toEqual([where, `→ ${remedy}`]);
  });

  it.each(oneOption)("%s", async (line, where, remedy) => {
    const text = `# A fleet\n\n[changelings.fixme-fairy]\n${line}\n`;
    const [message = "", ...rest] = await sandbox.faultsOf(text, { repo: "app" });
    const at = /^[a-z_]+[:.[]/.test(where)
      ? "config.toml:4: changelings.fixme-fairy."
      : "config.toml:3: changelings.fixme-fairy: ";
    // The default branch isn't written anywhere: its changeling is the place.
    expect([message, ...rest]).toEqual([`${at}${where}`, `→ ${remedy}`]);
  });
});

describe("all faults at once", () => {
  it("in the order of their lines, with the good options still checked beside bad ones", async () => {
    const text = `
timezon = "UTC"
[changelings.fixme-fairy]
enabled = "yes"
shedule = "x"
schedule = "61 * * * *"
branch = "nope"
env = { GITHUB_TOKEN = "x", N = 5 }
`;
    expect(await sandbox.faultsOf(text, { repo: "app" })).toEqual([
      'config.toml:2: timezon: unknown key "timezon"',
      '→ did you mean "timezone"?',
      'config.toml:4: changelings.fixme-fairy.enabled: expected true or false, found the string "yes"',
      "→ write enabled = true or enabled = false",
      'config.toml:5: changelings.fixme-fairy.shedule: unknown option "shedule"',
      '→ did you mean "schedule"?',
      'config.toml:6: changelings.fixme-fairy.schedule: "61 * * * *": there is no minute 61',
      "→ write 0-59, ranges (1-5), steps (*/2) and lists of them",
      'config.toml:7: changelings.fixme-fairy.branch: the repository has no branch "nope"',
      '→ did you mean branch = "main"?',
      "config.toml:8: changelings.fixme-fairy.env.GITHUB_TOKEN: GITHUB_TOKEN is both a secret and in env",
      "→ remove GITHUB_TOKEN from env, or from secrets",
      "config.toml:8: changelings.fixme-fairy.env.N: expected a string, found a number",
      "→ write the value in quotes",
    ]);
  });

  it("with their columns, and without a fleet", async () => {
    const { fleet, faults } = await sandbox.load('[changelings.fixme-fairy]\n  "schedule" = "x"', { repo: "app" });
    expect(fleet).toBeUndefined();
    expect(faults.map(({ line, column, path, severity }) => ({ line, column, path, severity }))).toEqual([
      { line: 2, column: 3, path: "changelings.fixme-fairy.schedule", severity: "error" },
    ]);
  });

  it("shows no value that may be a secret", async () => {
    const text = `[changelings.fixme-fairy]\nbranch = "${token}"\nkind = "${token}"\ntimezone = "${token}"\ntemplate = "${token}"\nenv = { "${token} " = "", A = "${token}" }\n`;
    const told = await sandbox.faultsOf(text, { repo: "app" });
    expect(told.length).toBeGreaterThanOrEqual(10);
    expect(told.join("\n")).not.toContain(token);
  });
});
