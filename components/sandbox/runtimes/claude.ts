import { randomUUID } from "node:crypto";
import type * as z from "zod/mini";
import { claudeKeys } from "../../models/claude-events.ts";
import type { BrokeredApi } from "../provider.ts";
import { ClaudeTurn, claudeState } from "./claude-turn.ts";
import { type Cli, CliRuntime, noConversation, type Prompt, type Ready } from "./cli-runtime.ts";
import { type ClaudeOptions, claudeTable } from "./options.ts";
import type { AgentRuntime } from "./runtime.ts";

type State = z.output<typeof claudeState>;

/**
 * Of the CLI's own files, only the conversations are kept from one prompt to the next. The agent can write to all of them,
 * and one line in `.claude.json` would send the key to another server at the next prompt.
 *
 * The instructions are the sandbox's and the repository's: the CLI reads the repository's own only together with its
 * settings, which run programs and send the key elsewhere.
 *
 * The key, or the broker's token, is passed as a file descriptor, so that the programs that the agent starts don't inherit it.
 */
const script = `
set -eu
umask 077
export CLAUDE_CONFIG_DIR="$HOME/.changelings/claude"
mkdir -p "$CLAUDE_CONFIG_DIR"
cd "$CLAUDE_CONFIG_DIR"
for file in * .[!.]* ..?*; do test "$file" = projects || rm -rf "./$file"; done
printf '%s' "$RUNTIME_MCP" >mcp.json
for file in /app/AGENTS.md "$OLDPWD/AGENTS.md" "$OLDPWD/CLAUDE.md"; do
  if test -f "$file"; then printf '\n# From %s\n\n' "$file"; head -c 100000 "$file"; echo; fi
done >instructions.md
cd "$OLDPWD"
exec 3<<END_OF_KEY
$RUNTIME_KEY
END_OF_KEY
unset RUNTIME_MCP RUNTIME_KEY
exec claude "$@" --mcp-config "$CLAUDE_CONFIG_DIR/mcp.json" --append-system-prompt-file "$CLAUDE_CONFIG_DIR/instructions.md"
`;

/** The variables that name the file descriptor with a key. */
export const keyDescriptors: Readonly<Record<string, string>> = {
  ANTHROPIC_API_KEY: "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
  CLAUDE_CODE_OAUTH_TOKEN: "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
};

const claude: Cli<ClaudeOptions, State> = {
  name: "claude",
  install: "npm install -g @anthropic-ai/claude-code",
  options: claudeTable,
  state: claudeState,
  keys: () => claudeKeys,
  api,
  command: (prompt, resumed) => ({
    argv: ["sh", "-c", script, "sh", ...argumentsOf(prompt, resumed)],
    env: environmentOf(prompt),
    // The CLI takes what begins with a slash as a command.
    stdin: prompt.text.trimStart().startsWith("/") ? ` ${prompt.text.trimStart()}` : prompt.text,
  }),
  turn: (emit, resumed) => new ClaudeTurn(emit, resumed),
  obstacle: ({ text }) => (text.includes("No conversation found with session ID") ? noConversation : undefined),
};

/** The Claude Code CLI in the sandbox, with one conversation for the whole session. */
export class ClaudeCliRuntime extends CliRuntime<ClaudeOptions, State> {
  constructor() {
    super(claude);
  }
}

export default (): AgentRuntime => new ClaudeCliRuntime();

/** The declared variables have the meaning that they have for the CLI. */
function api({ options, key, env }: Ready<ClaudeOptions>): BrokeredApi {
  const value = key.value.trim();
  return {
    kind: "anthropic",
    baseUrl: options.base_url ?? env["ANTHROPIC_BASE_URL"] ?? "https://api.anthropic.com",
    credential: key.name === "ANTHROPIC_API_KEY" ? ["x-api-key", value] : ["authorization", `Bearer ${value}`],
    headers: customHeaders(env["ANTHROPIC_CUSTOM_HEADERS"] ?? ""),
  };
}

/** @param text lines of `Name: value` */
function customHeaders(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const [, name, value] = /^\s*([^\s:]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value]];
    }),
  );
}

function argumentsOf({ options, budgetUsd }: Prompt<ClaudeOptions>, resumed: State | undefined): string[] {
  return [
    ...["--print", "--output-format", "stream-json", "--verbose", "--include-partial-messages"],
    // No settings files: the CLI would read those that the agent writes at once, and send the key where they say.
    ...["--setting-sources", "", "--strict-mcp-config"],
    // The sandbox is the isolation.
    "--dangerously-skip-permissions",
    ...["--model", options.model],
    ...(resumed === undefined ? ["--session-id", randomUUID()] : ["--resume", resumed.conversation]),
    ...(options.max_turns === undefined ? [] : ["--max-turns", String(options.max_turns)]),
    ...(budgetUsd === undefined ? [] : ["--max-budget-usd", String(budgetUsd)]),
  ];
}

function environmentOf({ config, options, key, brokerUrl, env }: Prompt<ClaudeOptions>): Record<string, string> {
  const url = brokerUrl ?? options.base_url;
  const isOfficial = (options.base_url ?? env["ANTHROPIC_BASE_URL"]) === undefined;
  // The broker adds these headers, which may contain a gateway's key.
  const { ANTHROPIC_CUSTOM_HEADERS: _, ...withoutHeaders } = env;
  return {
    ...(brokerUrl === undefined ? env : withoutHeaders),
    ...(url === undefined ? {} : { ANTHROPIC_BASE_URL: url }),
    // The CLI uses some features only with Anthropic's own API, such as a prompt cache that lasts an hour.
    ...(isOfficial ? { _CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL: "1" } : {}),
    RUNTIME_MCP: JSON.stringify({ mcpServers: config.mcpServers }),
    RUNTIME_KEY: key.value,
    [keyDescriptors[key.name] ?? ""]: "3",
    ...claudeEnvironment,
  };
}

export const claudeEnvironment = {
  // It refuses to skip permissions as root otherwise.
  IS_SANDBOX: "1",
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  // `@path` in a prompt is text.
  CLAUDE_CODE_DISABLE_FILE_MENTIONS: "1",
  // The memory is that of the repository, which all its sandboxes share.
  CLAUDE_CODE_DISABLE_AUTO_MEMORY: "1",
} as const;
