import { afterAll, expect, it } from "vitest";
import { Sandbox } from "../../support/fleet-sandbox.ts";
import { type WebProblem, webProblem } from "../../support/web-diagnostic.ts";

const sandbox = new Sandbox();
afterAll(() => sandbox[Symbol.dispose]());

const token = `ghp_${"a1B2".repeat(9)}`;
const ownFolder = 'write a separate folder, such as data = "~/elena"';

/** One line below `[changelings.chat]` and its kind, on line 3. */
const oneOption: readonly WebProblem[] = [
  // Options of the other kind, and what they may have been meant for.
  ["schedule = '0 3 * * *'", 'schedule: schedule is only for kind = "cron"', 'remove the line, or write kind = "cron"'],
  [
    "repo = 'agent'",
    'repo: repo is only for kind = "cron" or kind = "sandbox"',
    'write source instead, or write kind = "cron" or kind = "sandbox"',
  ],
  [
    "timeout_seconds = 'long'",
    'timeout_seconds: timeout_seconds is only for kind = "cron" or kind = "sandbox"',
    'write start_timeout_seconds instead, or write kind = "cron" or kind = "sandbox"',
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
    "settings.chat.context.max_content_length: 0 is too small",
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
    'write model = "claude-sonnet-4-5", or remove the line',
  ],
  [
    "settings.watchers.watched_event_sources = ['stop', 1]",
    "settings.watchers.watched_event_sources[1]: expected a string, found 1",
    "write the value in quotes",
  ],
  [
    "settings.provisioning.fs_hard_timeout_seconds = -1.5",
    "settings.provisioning.fs_hard_timeout_seconds: -1.5 is too small",
    "write 0.1 seconds or more",
  ],
  [
    "settings.provisioning.fs_hard_timeout_seconds = inf",
    "settings.provisioning.fs_hard_timeout_seconds: expected a number, found Infinity",
    "write fs_hard_timeout_seconds = 32",
  ],
  // Data.
  ["data = 'elena'", 'data: "elena" is not an absolute path', 'write one such as data = "~/elena"'],
  ["data = '~'", "data: <folder>/home contains more than its data", ownFolder],
  ["data = '/'", "data: / contains more than its data", ownFolder],
  ["data = '~/.changelings/'", "data: <folder>/home/.changelings contains more than its data", ownFolder],
  [
    "provider = 'modal'\ndata = '~/elena'",
    'data: "~/elena" is not the name of a volume: up to 64 letters, digits, -, _ and .',
    'write a name such as data = "elena"',
  ],
  [
    "provider = 'docker'\ndata = 'e'",
    'data: "e" is not the name of a volume: 2 to 64 letters, digits, -, _ and .',
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
    "build_args[0]: its machine always lives as long as Modal allows",
    "remove it",
  ],
  [
    "provider = 'modal'\nbuild_args = ['offline']",
    "build_args[0]: an agent that is offline can't be reached",
    "remove it, or list the addresses that it may reach: cidr-allowlist=<range>",
  ],
  [
    "provider = 'modal'\nbuild_args = ['secret=NPM_TOKEN']",
    "build_args[0]: NPM_TOKEN is not one of the changeling's secrets, so the build can't use it",
    'add "NPM_TOKEN" to secrets',
  ],
  [
    "provider = 'docker'\nbuild_args = ['cpu=2', 'gpu=a10g']",
    'build_args[1]: the provider "docker" knows no build argument "gpu=a10g"',
    "it accepts cpu, memory, image, file, context-dir, docker-build-arg",
  ],
  [
    "provider = 'docker'\nbuild_args = ['context-dir=.', 'image=python:3.12']",
    'build_args[0]: "context-dir" is for a Dockerfile, but "image" is used unchanged',
    'remove it, or "image" and write it into a Dockerfile\'s FROM',
  ],
  [
    `provider = 'docker'\nbuild_args = ['docker-build-arg=TOKEN=${token}']`,
    "build_args[0]: the value looks like a secret, and build arguments are kept in the image and in the stack's state",
    "remove it, and list its variable in secrets, so that the agent gets it when it runs",
  ],
  [
    "provider = 'kubernetes'",
    'provider: the provider "kubernetes" is only for kind = "seed-agent": it is for a service that keeps running',
    'write provider = "local" or provider = "docker" or provider = "modal", or kind = "seed-agent"',
  ],
  // Agents.
  ["agent_type = 'claud'", 'agent_type: mngr knows no agent type "claud"', 'did you mean agent_type = "claude"?'],
  [
    "agent_type = 'todo-ledger'",
    'agent_type: "todo-ledger" is a stock changeling for schedules',
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
    "secrets[0]: MNG_AGENT_STATE_DIR is reserved: it configures the programs that run the agent",
    "use another name",
  ],
  ["start_timeout_seconds = 901", "start_timeout_seconds: 901 is too large", "write 900 seconds or less"],
  [
    "destroy_data = 'no'",
    'destroy_data: expected true or false, found the string "no"',
    "write destroy_data = true or destroy_data = false",
  ],
];

it.each(oneOption)("%j is reported with its line and remedy", async (lines, where, remedy) => {
  const { text, reported } = webProblem(lines, where, remedy);
  expect(await sandbox.diagnosticsOf(text)).toEqual(reported);
});
