import { afterAll, describe, expect, it } from "vitest";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("app");
afterAll(() => sandbox[Symbol.dispose]());

const token = `ghp_${"a1B2".repeat(9)}`;

/** The lines of a file, and the diagnostics: where and what, then the remedy. */
const oneProblem: readonly [title: string, text: string, where: string, remedy: string][] = [
  // The file.
  ["an unknown key", `timezon = "UTC"`, 'config.toml:1: timezon: unknown key "timezon"', 'did you mean "timezone"?'],
  [
    "a key that nothing is like",
    "colour = 1",
    'config.toml:1: colour: unknown key "colour"',
    "the file's own keys are mngr_profile, max_runs_at_once, timezone, forwarding, sandboxes, defaults, changelings",
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
    'config.toml:1: mngr_profile: "../x" is not a valid mngr profile: letters, digits, - and _',
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
    "config.toml:2: defaults.keep_runs: -1 is too small",
    "write 0 runs or more",
  ],
  [
    "a default that only shows with a changeling, reported once",
    `[defaults]\nschedule = "x"\n[changelings.fixme-fairy]\n[changelings.code-guardian]`,
    'config.toml:2: defaults.schedule: "x" has one field: a schedule has five (minute, hour, day of month, month, day of week) (for fixme-fairy, code-guardian)',
    'write all five, for instance "0 3 * * *" for 03:00 every day',
  ],
  // Names.
  [
    "a bad name",
    "[changelings.Fixme_Fairy]\nagent_type = 'claude'",
    'config.toml:1: changelings.Fixme_Fairy: "Fixme_Fairy" is not a valid name for a changeling: a lower-case letter, then up to 39 lower-case letters, digits or -',
    "write [changelings.fixme-fairy]",
  ],
  [
    "a name with nothing to save",
    "[changelings.'7 _']\nagent_type = 'claude'",
    'config.toml:1: changelings."7 _": "7 _" is not a valid name for a changeling: a lower-case letter, then up to 39 lower-case letters, digits or -',
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
    'config.toml:2: changelings.fixme-fairy.renamed_from: "X Y" is not a changeling\'s name',
    'write renamed_from = "old-name"',
  ],
];

describe("one error is reported with its line and its remedy:", () => {
  it.each(oneProblem)("%s", async (_title, text, where, remedy) => {
    expect(await sandbox.diagnosticsOf(text, { repo: "app" })).toEqual([where, `→ ${remedy}`]);
  });
});

describe("all errors at once", () => {
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
    expect(await sandbox.diagnosticsOf(text, { repo: "app" })).toEqual([
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
    const { fleet, diagnostics } = await sandbox.load('[changelings.fixme-fairy]\n  "schedule" = "x"', { repo: "app" });
    expect(fleet).toBeUndefined();
    expect(diagnostics.map(({ line, column, path, severity }) => ({ line, column, path, severity }))).toEqual([
      { line: 2, column: 3, path: "changelings.fixme-fairy.schedule", severity: "error" },
    ]);
  });

  it("shows no value that may be a secret", async () => {
    const text = `[changelings.fixme-fairy]\nbranch = "${token}"\nkind = "${token}"\ntimezone = "${token}"\ntemplate = "${token}"\nenv = { "${token} " = "", A = "${token}" }\n`;
    const reported = await sandbox.diagnosticsOf(text, { repo: "app" });
    expect(reported.length).toBeGreaterThanOrEqual(10);
    expect(reported.join("\n")).not.toContain(token);
  });
});
