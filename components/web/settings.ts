import { stringify } from "smol-toml";
import * as z from "zod/mini";
import { type OptionDoc, option } from "../fleet/documented.ts";

function count(preset: number, doc: Omit<OptionDoc, "example">) {
  return option(z._default(z.int().check(z.gte(1), z.lte(1_000_000)), preset), { ...doc, example: preset * 2 });
}

function span(preset: number, description: string) {
  const schema = z._default(z.number().check(z.gte(0.1), z.lte(86_400)), preset);
  return option(schema, { description, unit: "seconds", example: preset * 2 });
}

/** The default of an omitted table. */
const defaultInWords = "the defaults of its keys";

const ofContext = {
  max_transcript_line_count: count(10, {
    description: "Maximum number of lines of inner monologue in the context.",
    unit: "lines",
  }),
  max_messages_line_count: count(20, {
    description: "Maximum number of lines of recent messages in the context.",
    unit: "lines",
  }),
  max_messages_per_conversation: count(3, {
    description: "Maximum number of messages of each conversation in the context.",
    unit: "messages",
  }),
  max_trigger_line_count: count(5, {
    description: "Maximum number of lines of trigger events of each source in the context.",
    unit: "lines",
  }),
  max_content_length: count(200, {
    description: "Maximum length of each text that the context tool shows.",
    unit: "characters",
  }),
};

const ofExtraContext = {
  max_content_length: count(300, {
    description: "Maximum length of each text that the extra context tool shows.",
    unit: "characters",
  }),
  transcript_line_count: count(50, { description: "Lines of inner monologue in the extended history.", unit: "lines" }),
  mng_list_hard_timeout_seconds: count(120, {
    description: "Timeout for listing the agents.",
    unit: "seconds",
  }),
  mng_list_warn_threshold_seconds: count(15, {
    description: "If listing the agents takes longer than this, it warns.",
    unit: "seconds",
  }),
};

/**
 * The contents of `.changelings/settings.toml` for a web changeling's agent: spec 001's tables and defaults, with the
 * file's keys.
 */
export const webSettings = z.strictObject({
  chat: option(
    z.prefault(
      z.strictObject({
        model: option(z._default(z.string().check(z.minLength(1)), "claude-opus-4-6"), {
          description: "The model of new conversations.",
          example: "claude-sonnet-4-5",
        }),
        context: option(z.prefault(z.strictObject(ofContext), {}), {
          description: "The context that the agent gets.",
          example: { max_messages_line_count: 40 },
          defaultInWords,
        }),
        extra_context: option(z.prefault(z.strictObject(ofExtraContext), {}), {
          description: "The additional context that it gets on request.",
          example: { transcript_line_count: 100 },
          defaultInWords,
        }),
      }),
      {},
    ),
    { defaultInWords, description: "Settings of its conversations.", example: { model: "claude-sonnet-4-5" } },
  ),
  watchers: option(
    z.prefault(
      z.strictObject({
        conversation_poll_interval_seconds: count(5, {
          description: "How often conversations are polled.",
          unit: "seconds",
        }),
        event_poll_interval_seconds: count(3, { description: "How often events are polled.", unit: "seconds" }),
        watched_event_sources: option(
          z._default(z.array(z.string().check(z.minLength(1))), ["messages", "scheduled", "mng_agents", "stop"]),
          { description: "The sources of events that are polled.", example: ["messages", "stop"] },
        ),
      }),
      {},
    ),
    { defaultInWords, description: "The watchers that wake the agent.", example: { event_poll_interval_seconds: 10 } },
  ),
  provisioning: option(
    z.prefault(
      z.strictObject({
        fs_hard_timeout_seconds: span(16, "Timeout for an operation on files."),
        fs_warn_threshold_seconds: span(4, "If an operation on files takes longer than this, it warns."),
        command_check_hard_timeout_seconds: span(30, "Timeout for checking whether a command exists."),
        command_check_warn_threshold_seconds: span(5, "If checking for a command takes longer than this, it warns."),
        install_hard_timeout_seconds: span(300, "Timeout for installing packages."),
        install_warn_threshold_seconds: span(60, "If installing packages takes longer than this, it warns."),
      }),
      {},
    ),
    {
      defaultInWords,
      description: "Timeouts of its provisioning.",
      example: { install_hard_timeout_seconds: 600 },
    },
  ),
});

/** Including defaults. */
export type WebSettings = z.output<typeof webSettings>;

/**
 * The text of `.changelings/settings.toml`, with every key and its value. Fractional numbers in spec 001 stay
 * fractional.
 */
export function settingsToml({ chat, watchers, provisioning }: WebSettings): string {
  return `${stringify({ chat, watchers })}\n${stringify({ provisioning }, { numbersAsFloat: true })}`;
}
