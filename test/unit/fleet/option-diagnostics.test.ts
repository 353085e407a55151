import { afterAll, expect, it } from "vitest";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("app", ["main", "develop"]);
sandbox.repo("empty", []);
sandbox.repo("old", ["master", "feature/x"]);
sandbox.write("file", "");
sandbox.write("plain/file", "");
afterAll(() => sandbox[Symbol.dispose]());

const token = `ghp_${"a1B2".repeat(9)}`;

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
  ["keep_runs = 1001", "keep_runs: 1001 is too large", "write 1000 runs or less"],
  ["timeout_seconds = 59", "timeout_seconds: 59 is too small", "write 60 seconds or more"],
  ["timeout_seconds = 86401", "timeout_seconds: 86401 is too large", "write 86400 seconds or less"],
  ["schedule = 3", "schedule: expected a string, found 3", "write the value in quotes"],
  ["schedule = 03:00:00", "schedule: expected a string, found a date", 'write schedule = "0 6 * * 1-5"'],
  [
    "secrets = 'GITHUB_TOKEN'",
    'secrets: expected a list, found the string "GITHUB_TOKEN"',
    'write secrets = ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "NPM_TOKEN"]',
  ],
  ["env = ['A']", "env: expected a table, found a list", 'write env = { LOG_LEVEL = "debug" }'],
  ["env = { A = 1 }", "env.A: expected a string, found a number", "write the value in quotes"],
  ["env = { 'A B' = '1' }", 'env."A B": "A B" is not the name of a variable', "use only letters, digits and _"],
  [
    "initial_message = ''",
    "initial_message: is empty",
    'write initial_message = "Fix one FIXME and say which.", or remove the line',
  ],
  ['initial_message = "a\\u0000"', "initial_message: contains a NUL character", "remove it"],
  ["overlap = 'que'", 'overlap: there is no overlap "que"', 'did you mean overlap = "queue"?'],
  ["overlap = 'both'", 'overlap: there is no overlap "both"', 'write overlap = "skip" or overlap = "queue"'],
  ["overlap = true", "overlap: found true", 'write overlap = "skip" or overlap = "queue"'],
  ["kind = 'crn'", 'kind: there is no kind "crn"', 'did you mean kind = "cron"?'],
  [
    "provider = 'docker'",
    'provider: the provider "docker" is only for kind = "web": no schedule fires there',
    'write provider = "local" or provider = "modal", or kind = "web"',
  ],
  [
    "provider = 'fly'",
    'provider: the provider "fly" is only for kind = "seed-agent": it is for a service that keeps running',
    'write provider = "local" or provider = "modal", or kind = "seed-agent"',
  ],
  ["provider = 'modul'", 'provider: there is no provider "modul"', 'did you mean provider = "modal"?'],
  // What is for Modal alone.
  ["image = 'pinned'", 'image: image is only for provider = "modal"', 'remove the line, or write provider = "modal"'],
  [
    "history_depth = 2",
    'history_depth: history_depth is only for provider = "modal"',
    'remove the line, or write provider = "modal"',
  ],
  [
    "allow_unpushed = true",
    'allow_unpushed: allow_unpushed is only for provider = "modal"',
    'remove the line, or write provider = "modal"',
  ],
  [
    "snapshot_max_age = '7d'",
    'snapshot_max_age: snapshot_max_age is only for provider = "modal"',
    'remove the line, or write provider = "modal"',
  ],
  ["verify = 'none'", 'verify: verify is only for provider = "modal"', 'remove the line, or write provider = "modal"'],
  ["image = 'snapshots'", 'image: there is no image "snapshots"', 'did you mean image = "snapshot"?'],
  ["history_depth = 0", "history_depth: 0 is too small", "write 1 commits or more"],
  ["snapshot_max_age = '7 days'", 'snapshot_max_age: "7 days" is not a duration', 'write snapshot_max_age = "7d"'],
  ["snapshot_max_age = '0d'", 'snapshot_max_age: "0d" is not a duration', 'write snapshot_max_age = "7d"'],
  ["snapshot_max_age = 7", "snapshot_max_age: expected a string, found 7", "write the value in quotes"],
  // Schedules and zones.
  [
    "schedule = '0 0 3 * * *'",
    'schedule: "0 0 3 * * *" has six fields: a schedule has five, without seconds',
    'write "0 3 * * *"',
  ],
  [
    "schedule = '0 0 31 2 *'",
    'schedule: "0 0 31 2 *" never fires: none of its months has such a day',
    'write a day of month (the third field) that exists; for the first of each month: "0 0 1 * *"',
  ],
  [
    "schedule = '* * * * *'",
    'schedule: "* * * * *" fires a minute apart, more often than every 5 minutes',
    'write "*/5 * * * *", or set allow_frequent = true if this is intended',
  ],
  ["timezone = 'berlin'", 'timezone: there is no time zone "berlin"', 'did you mean: timezone = "Europe/Berlin"'],
  [
    "timezone = '+02:00'",
    'timezone: there is no time zone "+02:00"',
    'write an IANA name, for instance: timezone = "Europe/Berlin"',
  ],
  [
    "settle_seconds = 3600",
    "settle_seconds: with settle_seconds = 3600, no run ends before its timeout of 3600 s",
    "lower settle_seconds, or raise timeout_seconds",
  ],
  // Secrets and variables.
  [
    "secrets = ['PATH']",
    "secrets[0]: PATH is reserved: it configures the programs that run the agent",
    "use another name",
  ],
  [
    "secrets = ['A', 'LD_PRELOAD']",
    "secrets[1]: LD_PRELOAD is reserved: it configures the programs that run the agent",
    "use another name",
  ],
  [
    "secrets = ['MODAL_TOKEN_ID']",
    "secrets[0]: MODAL_TOKEN_ID is reserved: it configures the programs that run the agent",
    "use another name",
  ],
  [
    "env = { CHANGELING_SPEC = 'x' }",
    "env.CHANGELING_SPEC: CHANGELING_SPEC is reserved: it configures the programs that run the agent",
    "use another name",
  ],
  [
    "secrets = ['github token']",
    'secrets[0]: "github token" is not the name of a variable: capital letters, digits and _',
    "write the name of the variable that holds the secret, not the secret",
  ],
  [
    `secrets = ['${token}']`,
    "secrets[0]: (a value that looks like a secret) is not the name of a variable: capital letters, digits and _",
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
    "env.NODE_OPTIONS: NODE_OPTIONS is reserved: it configures the programs that run the agent",
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
    'agent_type: "a b" is not a valid agent type: letters, digits, - and _',
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
  ["repo = 'plain'", "repo: <folder>/plain is not a git repository", "git -C <folder>/plain init, or correct the path"],
  [
    "repo = 'empty'",
    "repo: <folder>/empty has no commits yet",
    'commit something: git -C <folder>/empty commit --allow-empty -m "First commit"',
  ],
  ["repo = 'old'", 'the repository has no branch "main"', 'did you mean branch = "master"?'],
  ["branch = 'devlop'", 'branch: the repository has no branch "devlop"', 'did you mean branch = "develop"?'],
  ["branch = 'release-2020'", 'branch: the repository has no branch "release-2020"', 'did you mean branch = "main"?'],
  ["branch = '--all'", 'branch: "--all" is not a valid branch name', 'write a name such as branch = "main"'],
  ["branch = 'a:b'", 'branch: "a:b" is not a valid branch name', 'write a name such as branch = "main"'],
  [
    "repo = 'https://me:hunter2@example.com/a/b.git'",
    "repo: the URL contains a credential, which would be visible in the stack's state and in process lists",
    "write https://example.com/a/b.git and give git the credential: git credential approve, or gh auth login",
  ],
  [
    `repo = 'https://${token}@github.com/a/b'`,
    "repo: the URL contains a credential, which would be visible in the stack's state and in process lists",
    "write https://github.com/a/b and give git the credential: git credential approve, or gh auth login",
  ],
  ["repo = 'ext::sh -c true'", "repo: git's remote helpers are not allowed here", "write an https:// or ssh:// URL"],
  [
    "repo = 'ftp://example.com/a'",
    "repo: is not a URL that git can clone from",
    "write an https:// or ssh:// URL, or a path",
  ],
];

it.each(oneOption)("%s is reported with its line and its remedy", async (line, where, remedy) => {
  const text = `# A fleet\n\n[changelings.fixme-fairy]\n${line}\n`;
  // The default branch isn't written anywhere: its changeling is the place.
  const isWritten = /^[a-z_]+[:.[]/.test(where);
  const at = isWritten ? "config.toml:4: changelings.fixme-fairy." : "config.toml:3: changelings.fixme-fairy: ";
  expect(await sandbox.diagnosticsOf(text, { repo: "app" })).toEqual([`${at}${where}`, `→ ${remedy}`]);
});
