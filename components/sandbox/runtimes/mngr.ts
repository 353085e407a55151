import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type * as z from "zod/mini";
import { mngrVersion } from "../../mngr/client.ts";
import { claudeKeys } from "../../models/claude-events.ts";
import { claudeEnvironment, keyDescriptors } from "./claude.ts";
import { type Cli, CliRuntime, noConversation, type Ready } from "./cli-runtime.ts";
import { isClaude } from "./mngr-checks.ts";
import { MngrTurn, mngrState } from "./mngr-turn.ts";
import { type MngrOptions, mngrTable } from "./options.ts";
import type { AgentRuntime } from "./runtime.ts";

type State = z.output<typeof mngrState>;

/** Runs in the sandbox, by Node. */
const driver = readFileSync(new URL("mngr-driver.mjs", import.meta.url), "utf8");

const mngr: Cli<MngrOptions, State> = {
  name: "mngr",
  install: `uv tool install imbue-mngr==${mngrVersion} --with imbue-mngr-claude==${mngrVersion}`,
  options: mngrTable,
  state: mngrState,
  keys: ({ agent_type }) => (isClaude(agent_type) ? claudeKeys : []),
  begin: (ready) => {
    const agent = newAgent();
    return { state: { agent }, command: command(ready, { agent, create: true, prompt: null }) };
  },
  command: (prompt, resumed) =>
    command(prompt, {
      agent: resumed?.agent ?? newAgent(),
      create: resumed === undefined,
      prompt: isClaude(prompt.options.agent_type) ? typed(prompt.text) : withoutKeys(prompt.text),
    }),
  turn: (emit) => new MngrTurn(emit),
  obstacle: ({ text }) => (text.includes("the agent is not in this sandbox") ? noConversation : undefined),
};

/** An agent of mngr in the sandbox, with one conversation for the whole session. Reports usage, but no cost. */
export class MngrRuntime extends CliRuntime<MngrOptions, State> {
  constructor() {
    super(mngr);
  }
}

export default (): AgentRuntime => new MngrRuntime();

function newAgent(): string {
  return `agent-${randomUUID().replaceAll("-", "")}`;
}

interface Task {
  readonly agent: string;
  readonly create: boolean;
  readonly prompt: string | null;
}

function command(
  { config, options, key, env }: Ready<MngrOptions>,
  task: Task,
): ReturnType<Cli<MngrOptions, State>["command"]> {
  const { agent_type: type, agent_args: args, settle_seconds: settleSeconds } = options;
  const claude = {
    key: key.value,
    keyVariable: keyDescriptors[key.name] ?? "",
    mcp: JSON.stringify({ mcpServers: config.mcpServers }),
    instructions: claudeInstructions(config.repoPath),
  };
  return {
    argv: ["node", "--input-type=module", "--eval", driver],
    env: {
      // By default it retries ten times. That takes minutes, and only its terminal would show it.
      ...(isClaude(type) ? { ...claudeEnvironment, CLAUDE_CODE_MAX_RETRIES: "6" } : {}),
      ...env,
    },
    stdin: JSON.stringify({
      ...{ ...task, type, args, settleSeconds, repoPath: config.repoPath },
      claude: isClaude(type) ? claude : null,
    }),
  };
}

/** The CLAUDE.md of the user. Claude Code skips a file that is missing, and reads no other file of the repository. */
function claudeInstructions(repoPath: string): string {
  return `@/app/AGENTS.md

# The repository's own instructions

@${repoPath}/AGENTS.md
@${repoPath}/CLAUDE.md
`;
}

/**
 * Changes a prompt so that Claude Code's terminal takes it as text when it is typed: its commands begin with `/`, `!`, `#` or
 * `?`, and a `\` at the end continues a line.
 */
export function typed(prompt: string): string {
  // A typed tab would complete a word.
  const text = withoutKeys(prompt.replaceAll("\t", "    ")).trim();
  const line = /^[\p{L}\p{N}]/u.test(text) ? text : `Prompt:\n${text}`;
  return line.endsWith("\\") ? `${line} ` : line;
}

/** Removes control characters, which would act as keys, for instance Escape. */
function withoutKeys(prompt: string): string {
  return prompt.replace(/\r\n?/g, "\n").replace(/[^\P{Cc}\n\t]/gu, "");
}
