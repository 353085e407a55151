import { stringify } from "smol-toml";
import type * as z from "zod/mini";
import { codexKeys } from "../../models/codex-events.ts";
import { type Cli, CliRuntime, noConversation, type Prompt } from "./cli-runtime.ts";
import { CodexTurn, codexState } from "./codex-turn.ts";
import { type CodexOptions, codexTable } from "./options.ts";
import type { AgentRuntime } from "./runtime.ts";

type State = z.output<typeof codexState>;

/**
 * Of the CLI's own files, only the conversations are kept from one prompt to the next, because the agent can write to all of
 * them: `.env`, for instance, would set the next prompt's environment.
 *
 * The key, or the broker's token, is passed through a pipe that one reader empties: every program that the agent starts could read it in the CLI's
 * environment, in `/proc`. The CLI reads it for its first request to the API, before the agent can start a program.
 */
const script = `
set -eu
umask 077
export CODEX_HOME="$HOME/.changelings/codex"
mkdir -p "$CODEX_HOME"
cd "$CODEX_HOME"
for file in * .[!.]* ..?*; do test "$file" = sessions || rm -rf "./$file"; done
printf '%s' "$RUNTIME_CONFIG" >config.toml
if [ -f /app/AGENTS.md ]; then cat /app/AGENTS.md >AGENTS.md; fi
mkfifo key
printf '%s' "$RUNTIME_KEY" >key 2>/dev/null </dev/null &
cd "$OLDPWD"
unset RUNTIME_CONFIG RUNTIME_KEY
exec codex "$@"
`;

const officialUrl = "https://api.openai.com/v1";

/** Prints the key, once. The CLI asks again only if the API rejects the key. */
const takeKey = `cd "$CODEX_HOME"
test -p key || { echo "the API rejects the key" >&2; exit 1; }
exec 3<key; rm key; cat <&3`;

const codex: Cli<CodexOptions, State> = {
  name: "codex",
  install: "npm install -g @openai/codex",
  options: codexTable,
  state: codexState,
  keys: () => codexKeys,
  api: ({ options, key }) => ({
    kind: "openai",
    baseUrl: options.base_url ?? officialUrl,
    credential: ["authorization", `Bearer ${key.value.trim()}`],
  }),
  command: (prompt, resumed) => ({
    argv: [
      ...["sh", "-c", script, "sh", "exec"],
      ...(resumed === undefined ? [] : ["resume"]),
      ...["--json", "--skip-git-repo-check"],
      // Shell snapshots store the environment in files; plugins clone a repository at each start.
      ...["--disable", "shell_snapshot", "--disable", "plugins"],
      ...(resumed === undefined ? [] : [resumed.thread]),
      "-",
    ],
    env: { ...prompt.env, RUNTIME_KEY: prompt.key.value, RUNTIME_CONFIG: configOf(prompt) },
    stdin: prompt.text,
  }),
  turn: (emit, resumed) => new CodexTurn(emit, resumed),
  obstacle({ text }) {
    if (text.includes("no rollout found")) return noConversation;
    const [, servers] = /required MCP servers failed to initialize: (.*?)(?: \(code -\d+\))?$/m.exec(text) ?? [];
    if (servers === undefined) return undefined;
    return { missing: "servers", notice: `MCP servers did not start: ${servers}` };
  },
};

/** The Codex CLI in the sandbox, with one conversation for the whole session. Reports usage, but no cost. */
export class CodexCliRuntime extends CliRuntime<CodexOptions, State> {
  constructor() {
    super(codex);
  }
}

export default (): AgentRuntime => new CodexCliRuntime();

function configOf({ options, config, env, brokerUrl, serversAreOptional }: Prompt<CodexOptions>): string {
  return stringify({
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(options.reasoning_effort === undefined ? {} : { model_reasoning_effort: options.reasoning_effort }),
    // The sandbox is the isolation.
    sandbox_mode: "danger-full-access",
    approval_policy: "never",
    model_provider: "changelings",
    model_providers: {
      // The built-in provider accepts no other URL, and tries a WebSocket first.
      changelings: {
        name: "changelings",
        base_url: brokerUrl ?? options.base_url ?? officialUrl,
        wire_api: "responses",
        auth: { command: "/bin/sh", args: ["-c", takeKey], refresh_interval_ms: 0 },
        stream_idle_timeout_ms: options.idle_timeout_seconds * 1000,
      },
    },
    // The agent's programs get the declared secrets. The API's key is not among the CLI's variables.
    shell_environment_policy: { inherit: "all", ignore_default_excludes: true, exclude: [...codexKeys] },
    mcp_servers: Object.fromEntries(
      Object.entries(config.mcpServers).map(([name, server]) => [
        name,
        {
          ...server,
          env_vars: Object.keys(env),
          // Otherwise the first turn starts before the server's tools are available.
          required: !serversAreOptional,
          default_tools_approval_mode: "approve",
        },
      ]),
    ),
  });
}
