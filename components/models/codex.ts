import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { LanguageModelV4, LanguageModelV4CallOptions, SharedV4Warning } from "@ai-sdk/provider";
import { parse } from "smol-toml";
import * as z from "zod/mini";
import { systemPrompt, unsupported } from "./call-settings.ts";
import {
  type Call,
  CliLanguageModel,
  type CliModelOptions,
  type Command,
  type TextCli,
  type TextRun,
} from "./cli-language-model.ts";
import { CodexRun, codexEvent, codexItem, codexKeys } from "./codex-events.ts";
import { cliEnvironment } from "./environment.ts";
import { callError, type Environment, invalidVariable } from "./errors.ts";

const codex: TextCli = {
  name: "codex",
  provider: "codex-cli",
  key: "codexCli",
  secrets: codexKeys,
  install: "install it (npm install -g @openai/codex), or set CODEX_CLI_PATH",
  login: "run `codex login`, set CODEX_HOME to a folder with a login, or set OPENAI_API_KEY",
  // It prints a text only once it is complete.
  idleTimeoutSeconds: 600,
  modelId: (model) => model ?? "codex-default",
  warnings: (options) => [...unsupported(options), ...effortOf(options).warnings],
  async command(call, model) {
    const { env, prompt } = call;
    const home = env["CODEX_HOME"] || join(env["HOME"] || homedir(), ".codex");
    if (
      !codexKeys.some((name) => env[name]) &&
      !["auth.json", "config.toml"].some((name) => existsSync(join(home, name)))
    )
      throw callError(
        { code: "missing_api_key", status: undefined, reason: `no login in ${home}` },
        { name: "codex", login: codex.login, secrets: [], isRetryable: false, costUsd: 0 },
      );
    const argv = await argumentsOf(call, home, model);
    return {
      argv: [env["CODEX_CLI_PATH"] || "codex", ...argv, "-"],
      env: codexEnvironment(env),
      stdin: prompt.text,
    } satisfies Command;
  },
  run: () => new CodexTextRun(),
};

/** A language model that runs `codex exec`. Default model: the CLI's configuration's. It reports usage, but no cost. */
export function codexCli(options: CliModelOptions = {}): LanguageModelV4 {
  return new CliLanguageModel(codex, options);
}

/** `codexCli` with the environment of this process, read at each call. */
export const codexCliLanguageModel: LanguageModelV4 = codexCli();

/** The CLI's whole environment. */
export function codexEnvironment(env: Environment): Record<string, string> {
  return cliEnvironment(env, codexKeys, { CODEX_HOME: env["CODEX_HOME"] });
}

async function argumentsOf(call: Call, home: string, model: string | undefined): Promise<string[]> {
  const { options, env, folder } = call;
  const { effort } = effortOf(options);
  const schema = options.responseFormat?.type === "json" ? options.responseFormat.schema : undefined;
  const schemaFile = join(folder, "schema.json");
  if (schema !== undefined) await writeFile(schemaFile, JSON.stringify(schema), { mode: 0o600 });
  const system = join(folder, "system.md");
  await writeFile(system, systemPrompt(call) || "Answer the user.", { mode: 0o600 });
  return [
    ...["exec", "--json", "--skip-git-repo-check", "--ephemeral", "--sandbox", sandboxOf(env)],
    ...(model === undefined ? [] : ["--model", model]),
    ...configuration([
      ...withoutTools,
      ["model_instructions_file", system],
      ...(effort === undefined ? [] : [["model_reasoning_effort", effort] as const]),
    ]),
    ...["-c", `mcp_servers={${(await servers(home)).map((name) => `${JSON.stringify(name)}={enabled=false}`).join()}}`],
    ...(schema === undefined ? [] : ["--output-schema", schemaFile]),
  ];
}

/** Disables every feature with which the model could act, and everything that the CLI adds to its prompt. */
const withoutTools: readonly (readonly [string, unknown])[] = [
  ...[
    ...["shell_tool", "unified_exec", "shell_snapshot", "view_image", "image_generation", "code_mode_host"],
    ...["browser_use", "computer_use", "in_app_browser", "apps", "plugins", "hooks", "multi_agent", "goals"],
    ...["memories", "sleep_tool", "tool_suggest", "skill_mcp_dependency_install"],
  ].map((feature) => [`features.${feature}`, false] as const),
  ["web_search", "disabled"],
  ["notify", []],
  ["project_doc_max_bytes", 0],
  ["skills.bundled.enabled", false],
  ["skills.include_instructions", false],
  ["include_environment_context", false],
  ["include_permissions_instructions", false],
  ["include_apps_instructions", false],
  ["include_collaboration_mode_instructions", false],
  // If a command runs anyway, it does not get the keys.
  ["shell_environment_policy.inherit", "none"],
];

/** The JSON of these values is also valid TOML. */
function configuration(values: readonly (readonly [string, unknown])[]): string[] {
  return values.flatMap(([key, value]) => ["-c", `${key}=${JSON.stringify(value)}`]);
}

const config = z.object({ mcp_servers: z.optional(z.record(z.string(), z.unknown())) });

/** The MCP servers of the user's own configuration. Its other settings apply. */
async function servers(home: string): Promise<string[]> {
  try {
    return Object.keys(config.parse(parse(await readFile(join(home, "config.toml"), "utf8"))).mcp_servers ?? {});
  } catch {
    // There is no file, or the CLI will report what is wrong with it.
    return [];
  }
}

const sandboxes = ["read-only", "workspace-write", "danger-full-access"];

/** The CLI itself does not read this variable. */
function sandboxOf(env: Environment): string {
  const sandbox = env["CODEX_SANDBOX"] || "read-only";
  if (!sandboxes.includes(sandbox))
    throw invalidVariable("CODEX_SANDBOX", `is ${JSON.stringify(sandbox)}: write ${sandboxes.join(", ")}`);
  return sandbox;
}

function effortOf({ reasoning }: LanguageModelV4CallOptions): { effort?: string; warnings: SharedV4Warning[] } {
  if (reasoning === undefined || reasoning === "provider-default") return { warnings: [] };
  const effort = reasoning === "none" ? "minimal" : reasoning === "max" ? "xhigh" : reasoning;
  if (effort === reasoning) return { effort, warnings: [] };
  const details = `${reasoning} is not a level of the CLI: ${effort} is used`;
  return { effort, warnings: [{ type: "compatibility", feature: "reasoning", details }] };
}

class CodexTextRun implements TextRun {
  readonly outcome = new CodexRun();
  #block = 0;

  take(value: unknown, say: (text: string, block: number) => void): void {
    const event = codexEvent(value);
    if (event === undefined) return;
    this.outcome.take(event);
    const item = codexItem(event);
    if (event.type !== "item.completed" || item?.type !== "agent_message" || item.text === "") return;
    say(item.text, this.#block);
    this.#block += 1;
  }

  end(otherwise: string) {
    const failure = this.outcome.failure(otherwise);
    // The CLI has already retried.
    if (failure !== undefined) return { failure, isRetryable: false, costUsd: 0 };
    const { usage } = this.outcome;
    const { input_tokens: total, cached_input_tokens: cacheRead, cache_write_input_tokens: cacheWrite } = usage ?? {};
    return {
      text: this.outcome.answer,
      usage: {
        inputTokens: {
          total,
          noCache: total === undefined ? undefined : total - (cacheRead ?? 0),
          cacheRead,
          cacheWrite,
        },
        outputTokens: {
          total: usage?.output_tokens,
          text: undefined,
          reasoning: usage?.reasoning_output_tokens,
        },
      },
      finishReason: { unified: "stop" as const, raw: undefined },
      metadata: {},
    };
  }
}
