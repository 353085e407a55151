import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Sandbox } from "./fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("agent", ["main", "develop"]);
sandbox.repo("old", ["master"]);
sandbox.write("file", "");
execFileSync("mkfifo", [join(sandbox.folder, "pipe")]);
afterAll(() => sandbox[Symbol.dispose]());

const token = `ghp_${"a1B2".repeat(9)}`;
const form = 'write "SRC:DEST", for instance "~/notes/style.md:docs/style.md"';
const ownFolder = 'write a folder of its own, such as data = "~/elena"';
const noCredential = "the URL holds a credential, which would reach the stack's state and process lists";

/** One line below `[changelings.chat]` and its kind, on line 3. */
const oneOption: readonly [line: string, where: string, remedy: string][] = [
  // Options of the other kind, and what they may have been meant for.
  [
    "schedule = '0 3 * * *'",
    'schedule: schedule is for kind = "cron" alone',
    'remove the line, or write kind = "cron"',
  ],
  ["repo = 'agent'", 'repo: repo is for kind = "cron" alone', 'write source instead, or write kind = "cron"'],
  [
    "timeout_seconds = 'long'",
    'timeout_seconds: timeout_seconds is for kind = "cron" alone',
    'write start_timeout_seconds instead, or write kind = "cron"',
  ],
  ["sourc = 'agent'", 'sourc: unknown option "sourc"', 'did you mean "source"?'],
  ["chat = {}", 'chat: "chat" is a table of settings', "write [changelings.chat.settings.chat]"],
  // Settings, at every depth.
  ["settings = { chats = 1 }", 'settings.chats: unknown key "chats"', 'did you mean "chat"?'],
  ["settings.chat.modl = 'x'", 'settings.chat.modl: unknown key "modl"', 'did you mean "model"?'],
  [
    "settings.chat.context.limit = 1",
    'settings.chat.context.limit: unknown key "limit"',
    "its keys are max_transcript_line_count, max_messages_line_count, max_messages_per_conversation, max_trigger_line_count, max_content_length",
  ],
  [
    "settings.chat.context.max_content_length = 0",
    "settings.chat.context.max_content_length: 0 is too little",
    "write 1 characters or more",
  ],
  [
    "settings.chat.extra_context.max_content_length = 0.5",
    "settings.chat.extra_context.max_content_length: expected a whole number, found 0.5",
    "write max_content_length = 600",
  ],
  [
    "settings.chat = 'opus'",
    'settings.chat: expected a table, found the string "opus"',
    'write chat = { model = "claude-sonnet-4-5" }',
  ],
  [
    "settings.chat.model = ''",
    "settings.chat.model: is empty",
    'write model = "claude-sonnet-4-5", or leave the line out',
  ],
  [
    "settings.watchers.watched_event_sources = ['stop', 1]",
    "settings.watchers.watched_event_sources[1]: expected a string, found 1",
    "write the value in quotes",
  ],
  [
    "settings.provisioning.fs_hard_timeout_seconds = -1.5",
    "settings.provisioning.fs_hard_timeout_seconds: -1.5 is too little",
    "write 0.1 seconds or more",
  ],
  [
    "settings.provisioning.fs_hard_timeout_seconds = inf",
    "settings.provisioning.fs_hard_timeout_seconds: expected a number, found Infinity",
    "write fs_hard_timeout_seconds = 32",
  ],
  // Added paths.
  ["add_paths = ['file']", 'add_paths[0]: "file" is not SRC:DEST', form],
  ["add_paths = ['file:']", 'add_paths[0]: "file:" is not SRC:DEST', form],
  ["add_paths = [':docs']", 'add_paths[0]: ":docs" is not SRC:DEST', form],
  ["add_paths = ['file:/etc/x']", 'add_paths[0]: DEST is a path below the repo, and "/etc/x" is none', form],
  ["add_paths = ['file:~/x']", 'add_paths[0]: DEST is a path below the repo, and "~/x" is none', form],
  ["add_paths = ['file:docs/../../x']", 'add_paths[0]: DEST "docs/../../x" is outside of the repo', form],
  ["add_paths = ['..:docs/']", 'add_paths[0]: DEST "docs/" names no file or folder', form],
  ["add_paths = ['file:a/..']", 'add_paths[0]: DEST "a/.." names no file or folder', form],
  [
    "add_paths = ['file:.Git/hooks/post-commit']",
    'add_paths[0]: DEST ".Git/hooks/post-commit" is git\'s own',
    "choose another one",
  ],
  ["add_paths = ['file:a', 'agent:./a']", "add_paths[1]: a is the DEST of another one too", "remove one of the two"],
  ["add_paths = ['nothing:a']", "add_paths[0]: there is nothing at <folder>/nothing", "correct the path, or remove it"],
  ["add_paths = ['pipe:a']", "add_paths[0]: <folder>/pipe is neither a file nor a folder", "name one"],
  [
    "settings = {}\nadd_paths = ['file:.changelings/settings.toml']",
    "add_paths[0]: settings write that file",
    "remove it, or remove settings",
  ],
  // Sources and branches.
  [
    "branch = 'develop'",
    "branch: branch is for a changeling with a source alone: the repo of another is made from scratch",
    'remove the line, or write source = "<path or URL>"',
  ],
  [
    "source = 'nowhere'",
    "source: there is no folder <folder>/nowhere",
    "clone the repository there, or correct the path",
  ],
  ["source = 'old'", 'the repository has no branch "main"', 'did you mean branch = "master"?'],
  [
    "source = 'agent'\nbranch = 'devlop'",
    'branch: the repository has no branch "devlop"',
    'did you mean branch = "develop"?',
  ],
  ["source = 'agent'\nbranch = 'a b'", 'branch: "a b" is no branch name', 'write a name such as branch = "main"'],
  [
    `source = 'https://${token}@github.com/a/b'`,
    `source: ${noCredential}`,
    "write https://github.com/a/b and give git the credential: git credential approve, or gh auth login",
  ],
  ["source = ''", "source: is empty", 'write source = "https://github.com/me/agent", or leave the line out'],
  // Remotes.
  [
    "remote = 'nowhere'",
    "remote: there is no folder <folder>/nowhere",
    "git init --bare <folder>/nowhere, or correct the path",
  ],
  ["remote = 'file'", "remote: <folder>/file is a file", "git init --bare <folder>/file, or correct the path"],
  [
    `remote = 'https://me:${token}@github.com/a/b'`,
    `remote: ${noCredential}`,
    "write https://github.com/a/b and give git the credential: git credential approve, or gh auth login",
  ],
  [
    "remote = 'http://example.com/a'",
    "remote: the way to http://example.com/a is not encrypted: others could see and change what is pushed",
    'write its https URL: remote = "https://…"',
  ],
  [
    "remote = 'ftp://example.com/a'",
    "remote: is no URL that git can clone from",
    "write an https:// or ssh:// URL, or a path",
  ],
  [
    "provider = 'modal'\nremote = '/srv/elena.git'",
    "remote: an agent on Modal can't push to /srv/elena.git: it has no key for ssh, and nothing of this machine's",
    'write its https URL: remote = "https://…"',
  ],
  [
    "provider = 'docker'\nremote = 'git@elena:me/elena.git'",
    "remote: an agent in a container can't push to git@elena:me/elena.git: it has no key for ssh, and nothing of this machine's",
    'write its https URL: remote = "https://…"',
  ],
  [
    "provider = 'docker'\nremote = 'http://localhost:3000/me/elena'",
    "remote: an agent in a container can't push to http://localhost:3000/me/elena: it has no key for ssh, and nothing of this machine's",
    'write its https URL: remote = "https://…"',
  ],
  // Data.
  ["data = 'elena'", 'data: "elena" is no absolute path', 'write one such as data = "~/elena"'],
  ["data = '~'", "data: <folder>/home holds more than its data", ownFolder],
  ["data = '/'", "data: / holds more than its data", ownFolder],
  ["data = '~/.changelings/'", "data: <folder>/home/.changelings holds more than its data", ownFolder],
  [
    "provider = 'modal'\ndata = '~/elena'",
    'data: "~/elena" is no name of a volume: up to 64 letters, digits, -, _ and .',
    'write a name such as data = "elena"',
  ],
  [
    "provider = 'docker'\ndata = 'e'",
    'data: "e" is no name of a volume: 2 to 64 letters, digits, -, _ and .',
    'write a name such as data = "elena"',
  ],
  // Its machine.
  [
    "build_args = ['cpu=2']",
    'build_args: the provider "local" takes no build arguments: it builds no image or host',
    "remove the line, or write build_args = []",
  ],
  [
    "provider = 'modal'\nbuild_args = ['timeout=60']",
    "build_args[0]: its machine lives for as long as Modal lets one",
    "remove it",
  ],
  [
    "provider = 'modal'\nbuild_args = ['offline']",
    "build_args[0]: an agent that is offline can't be reached",
    "remove it, or name the addresses that it may reach: cidr-allowlist=<range>",
  ],
  [
    "provider = 'modal'\nbuild_args = ['secret=NPM_TOKEN']",
    "build_args[0]: NPM_TOKEN is none of the changeling's secrets, so the build can't have it",
    'add "NPM_TOKEN" to secrets',
  ],
  [
    "provider = 'docker'\nbuild_args = ['cpu=2', 'gpu=a10g']",
    'build_args[1]: the provider "docker" knows no build argument "gpu=a10g"',
    "it accepts cpu, memory, image, file, context-dir, docker-build-arg",
  ],
  [
    "provider = 'docker'\nbuild_args = ['context-dir=.', 'image=python:3.12']",
    'build_args[0]: "context-dir" is for a Dockerfile, and "image" is taken as it is',
    'remove it, or "image" and write it into a Dockerfile\'s FROM',
  ],
  [
    `provider = 'docker'\nbuild_args = ['docker-build-arg=TOKEN=${token}']`,
    "build_args[0]: the value looks like a secret, and build arguments stay in the image and in the stack's state",
    "remove it, and name its variable in secrets: the agent has it when it runs",
  ],
  [
    "provider = 'kubernetes'",
    'provider: the provider "kubernetes" is not in this version',
    'write provider = "local" or provider = "docker" or provider = "modal", or leave the line out',
  ],
  // Agents.
  ["agent_type = 'claud'", 'agent_type: mngr knows no agent type "claud"', 'did you mean agent_type = "claude"?'],
  [
    "agent_type = 'todo-ledger'",
    'agent_type: "todo-ledger" is a stock changeling that a schedule fires',
    'write kind = "cron", or another agent_type',
  ],
  [
    "agent_type = 'command'",
    "agent_type: a command agent needs its command",
    'write agent_args, for instance agent_args = ["make", "report"]',
  ],
  [
    "agent_type = 'headless_claude'",
    'agent_type: "headless_claude" only runs in the foreground (mngr create --foreground), and a persistent agent has none',
    'write agent_type = "claude"',
  ],
  // Variables and the rest.
  [
    "secrets = ['MNG_AGENT_STATE_DIR']",
    "secrets[0]: MNG_AGENT_STATE_DIR is reserved: it steers the programs that run the agent",
    "use another name",
  ],
  ["start_timeout_seconds = 901", "start_timeout_seconds: 901 is too much", "write 900 seconds or less"],
  [
    "destroy_data = 'no'",
    'destroy_data: expected true or false, found the string "no"',
    "write destroy_data = true or destroy_data = false",
  ],
];

it.each(oneOption)("%j is told with its line and its remedy", async (lines, where, remedy) => {
  const text = `[changelings.chat]\nkind = "web"\n${lines}\n`;
  const line = 2 + lines.split("\n").length;
  const isWritten = /^[a-z_]+[:.[]/.test(where);
  const at = isWritten ? `config.toml:${line}: changelings.chat.` : "config.toml:1: changelings.chat: ";
  expect(await sandbox.faultsOf(text)).toEqual([`${at}${where}`, `→ ${remedy}`]);
});
