import { stringify } from "smol-toml";
import * as z from "zod/mini";
import { type OptionDoc, option } from "../fleet/options/documented.ts";

function count(preset: number, doc: Omit<OptionDoc, "example">) {
  return option(z._default(z.int().check(z.gte(1), z.lte(1_000_000)), preset), { ...doc, example: preset * 2 });
}

function span(preset: number, description: string) {
  const schema = z._default(z.number().check(z.gte(0.1), z.lte(86_400)), preset);
  return option(schema, { description, unit: "seconds", example: preset * 2 });
}

/** What a table that is left out has. */
const defaultInWords = "the defaults of its keys";

const ofContext = {
  max_transcript_line_count: count(10, { description: "Inner monologue in the context, at most.", unit: "lines" }),
  max_messages_line_count: count(20, { description: "Recent messages in the context, at most.", unit: "lines" }),
  max_messages_per_conversation: count(3, {
    description: "Messages of each conversation in the context, at most.",
    unit: "messages",
  }),
  max_trigger_line_count: count(5, {
    description: "Trigger events of each source in the context, at most.",
    unit: "lines",
  }),
  max_content_length: count(200, {
    description: "How much of one content the context tool shows, at most.",
    unit: "characters",
  }),
};

const ofExtraContext = {
  max_content_length: count(300, {
    description: "How much of one content the extra context tool shows, at most.",
    unit: "characters",
  }),
  transcript_line_count: count(50, { description: "Inner monologue in the extended history.", unit: "lines" }),
  mng_list_hard_timeout_seconds: count(120, {
    description: "After how long the list of agents is given up.",
    unit: "seconds",
  }),
  mng_list_warn_threshold_seconds: count(15, {
    description: "After how long the list of agents is warned about.",
    unit: "seconds",
  }),
};

/**
 * What `.changelings/settings.toml` says to a web changeling's agent: spec 001's tables with its defaults, by the keys
 * that the file has.
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
          description: "What the agent is told of what went on.",
          example: { max_messages_line_count: 40 },
          defaultInWords,
        }),
        extra_context: option(z.prefault(z.strictObject(ofExtraContext), {}), {
          description: "What it is told when it asks for more.",
          example: { transcript_line_count: 100 },
          defaultInWords,
        }),
      }),
      {},
    ),
    { defaultInWords, description: "Its conversations.", example: { model: "claude-sonnet-4-5" } },
  ),
  watchers: option(
    z.prefault(
      z.strictObject({
        conversation_poll_interval_seconds: count(5, {
          description: "How often conversations are looked at.",
          unit: "seconds",
        }),
        event_poll_interval_seconds: count(3, { description: "How often events are looked at.", unit: "seconds" }),
        watched_event_sources: option(
          z._default(z.array(z.string().check(z.minLength(1))), ["messages", "scheduled", "mng_agents", "stop"]),
          { description: "The sources of events that are looked at.", example: ["messages", "stop"] },
        ),
      }),
      {},
    ),
    { defaultInWords, description: "What wakes the agent.", example: { event_poll_interval_seconds: 10 } },
  ),
  provisioning: option(
    z.prefault(
      z.strictObject({
        fs_hard_timeout_seconds: span(16, "After how long an operation on files is given up."),
        fs_warn_threshold_seconds: span(4, "After how long an operation on files is warned about."),
        command_check_hard_timeout_seconds: span(30, "After how long the look for a command is given up."),
        command_check_warn_threshold_seconds: span(5, "After how long the look for a command is warned about."),
        install_hard_timeout_seconds: span(300, "After how long an installation of packages is given up."),
        install_warn_threshold_seconds: span(60, "After how long an installation of packages is warned about."),
      }),
      {},
    ),
    {
      defaultInWords,
      description: "How long its setting up may take.",
      example: { install_hard_timeout_seconds: 600 },
    },
  ),
});

/** Every default filled in. */
export type WebSettings = z.output<typeof webSettings>;

/** The text of `.changelings/settings.toml`: every key with its value. What of spec 001 are fractions stays one. */
export function settingsToml({ chat, watchers, provisioning }: WebSettings): string {
  return `${stringify({ chat, watchers })}\n${stringify({ provisioning }, { numbersAsFloat: true })}`;
}
