import type { LanguageModelV4 } from "@ai-sdk/provider";
import { generateText } from "ai";
import * as z from "zod/mini";
import { claudeCliLanguageModel } from "./claude.ts";
import { isMissingApiKey } from "./errors.ts";

/** A message in the format of the Claude Code CLI and Anthropic's API. */
const message = z.object({
  role: z.enum(["system", "user", "assistant"]),
  content: z.union([z.string(), z.array(z.object({ type: z.literal("text"), text: z.string() }))]),
});
/** Messages, or the payload of a request that contains them. */
const payload = z.union([z.array(message), z.object({ system: z.optional(z.string()), messages: z.array(message) })]);
export type ChatPayload = z.input<typeof payload>;

export interface ChatOptions {
  /** Default: `claudeCliLanguageModel`. */
  readonly model?: LanguageModelV4 | undefined;
  readonly abortSignal?: AbortSignal | undefined;
}

export type ChatResult =
  | { readonly text: string }
  /** Spec 003's error, so that an agent can escalate it to a person. */
  | { readonly error: "missing_api_key"; readonly message: string }
  | { readonly error: "failed"; readonly message: string };

/**
 * One answer of the model: spec 003's `Integration.Claude.chat/2`.
 *
 * @param prompt a text, or messages
 * @throws only the abort signal's reason
 */
export async function chat(prompt: string | ChatPayload, options: ChatOptions = {}): Promise<ChatResult> {
  try {
    const { text } = await generateText({
      model: options.model ?? claudeCliLanguageModel,
      ...(typeof prompt === "string" ? { prompt } : conversation(prompt)),
      ...(options.abortSignal === undefined ? {} : { abortSignal: options.abortSignal }),
    });
    return { text };
  } catch (error) {
    options.abortSignal?.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    return { error: isMissingApiKey(error) ? "missing_api_key" : "failed", message };
  }
}

function conversation(given: ChatPayload) {
  const parsed = payload.parse(given);
  const { system, messages } = Array.isArray(parsed) ? { system: undefined, messages: parsed } : parsed;
  const instructions = messages.filter(({ role }) => role === "system").map(({ content }) => textOf(content));
  const all = [...(system === undefined ? [] : [system]), ...instructions];
  return {
    ...(all.length === 0 ? {} : { system: all.join("\n\n") }),
    messages: messages.flatMap(({ role, content }) => (role === "system" ? [] : [{ role, content: textOf(content) }])),
  };
}

function textOf(content: z.output<typeof message>["content"]): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("");
}
