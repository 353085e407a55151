import * as z from "zod/mini";
import { option } from "../../fleet/documented.ts";
import { seconds, text, word } from "../../fleet/values.ts";

/** An http(s) URL without credentials: it is not secret, and appears in arguments and logs. */
function plainUrl() {
  return z.string().check(
    z.refine((text) => {
      const url = URL.parse(text);
      return /^https?:$/.test(url?.protocol ?? "") && url?.username === "" && url.password === "";
    }, "is not an http or https URL without a user name and a password"),
  );
}

function timeout(preset: number) {
  return option(z._default(seconds(1, 86_400), preset), {
    description: "How long one prompt may take. A prompt of the session may set less.",
    unit: "seconds",
    example: 600,
  });
}

function idleTimeout(preset: number) {
  return option(z._default(seconds(1, 86_400), preset), {
    description:
      "How long the model may be silent before the prompt fails. The time in which a tool runs does not count.",
    unit: "seconds",
    example: 120,
  });
}

/** `runtime_config` of `runtime = "claude"`. */
export const claudeTable = option(
  z.strictObject({
    model: option(z._default(word(), "sonnet"), {
      description: "The model: `sonnet`, `opus`, `haiku`, or a full name.",
      example: "opus",
    }),
    max_turns: option(z.optional(z.int().check(z.gte(1), z.lte(10_000))), {
      description: "The most turns (requests to the model) of one prompt.",
      unit: "turns",
      example: 50,
      defaultInWords: "no limit",
    }),
    budget_usd: option(z.optional(z.number().check(z.gte(0.01), z.lte(10_000))), {
      description:
        "The most US dollars that one prompt may cost. It is checked after each turn, so the last turn may exceed it. A prompt of the session may set less.",
      unit: "US dollars",
      example: 5,
      defaultInWords: "no limit",
    }),
    timeout_seconds: timeout(3600),
    idle_timeout_seconds: idleTimeout(300),
    base_url: option(z.optional(plainUrl()), {
      description:
        "The URL of an API that is compatible with Anthropic's. Where the session service keeps the key, it may be on this machine.",
      example: "https://gateway.example.com",
      defaultInWords: "Anthropic's own",
    }),
  }),
  { description: "Options of the runtime `claude`.", example: { model: "opus" } },
);
export type ClaudeOptions = z.output<typeof claudeTable>;

/** `runtime_config` of `runtime = "codex"`. */
export const codexTable = option(
  z.strictObject({
    model: option(z.optional(word()), {
      description: "The model's name.",
      example: "gpt-5-codex",
      defaultInWords: "the default of the Codex CLI",
    }),
    reasoning_effort: option(z.optional(z.enum(["minimal", "low", "medium", "high", "xhigh"])), {
      description: "How much the model reasons before it answers. Not every model has each of them.",
      example: "high",
      defaultInWords: "the model's default",
    }),
    timeout_seconds: timeout(3600),
    idle_timeout_seconds: idleTimeout(600),
    base_url: option(z.optional(plainUrl()), {
      description:
        "The URL of an API that is compatible with OpenAI's Responses, including its `/v1`. Where the session service keeps the key, it may be on this machine.",
      example: "https://gateway.example.com/v1",
      defaultInWords: "OpenAI's own",
    }),
  }),
  { description: "Options of the runtime `codex`.", example: { model: "gpt-5-codex" } },
);
export type CodexOptions = z.output<typeof codexTable>;

/** `runtime_config` of `runtime = "mngr"`. */
export const mngrTable = option(
  z.strictObject({
    agent_type: option(z._default(word(), "claude"), {
      description:
        "The type of the agent: `claude`, `fixme-fairy` or `code-guardian` (all of them are Claude Code), or `command`: a program that reads lines from a terminal.",
      example: "fixme-fairy",
    }),
    agent_args: option(z._default(z.array(text()), []), {
      description: "Arguments for the agent's program. For the agent type `command` they are the command.",
      example: ["--model", "opus"],
    }),
    settle_seconds: option(z._default(seconds(1, 3600), 2), {
      description:
        "How long the agent, having worked, must wait for input until its answer counts as complete. For the agent type `command`: how long its terminal must not change.",
      unit: "seconds",
      example: 10,
    }),
    timeout_seconds: timeout(3600),
    idle_timeout_seconds: idleTimeout(600),
  }),
  { description: "Options of the runtime `mngr`.", example: { agent_type: "claude", agent_args: ["--model", "opus"] } },
);
export type MngrOptions = z.output<typeof mngrTable>;

/** `runtime_config` of `runtime = "stub"`. */
export const stubTable = z.strictObject({});
