import * as z from "zod/mini";
import { headAndTail, scriptOf, words } from "./script.ts";
import { type Dialect, type FakeModelApi, startFake } from "./server.ts";

type Block =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: unknown };

const request = z.looseObject({
  model: z._default(z.string(), "none"),
  messages: z._default(
    z.array(
      z.object({
        role: z.string(),
        content: z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.optional(z.string()) }))]),
      }),
    ),
    [],
  ),
});

const errorTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
  529: "overloaded_error",
};

const counts = { input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

/** Starts a fake of Anthropic's Messages API, for the Claude Code CLI. */
export function startFakeAnthropic(): Promise<FakeModelApi> {
  let serial = 0;
  const dialect: Dialect<Block> = {
    path: "/v1/messages",
    script(body) {
      let results = 0;
      for (const { role, content } of [...request.parse(body).messages].reverse()) {
        if (role !== "user") continue;
        const blocks = typeof content === "string" ? [{ type: "text", text: content }] : content;
        if (blocks.some(({ type }) => type === "tool_result")) results += 1;
        // The CLI wraps its own reminders in a tag; they are not the prompt.
        const texts = blocks.flatMap(({ type, text }) =>
          type === "text" && text !== undefined && !text.trimStart().startsWith("<system-reminder>") ? [text] : [],
        );
        // The CLI merges a prompt that failed with the next one.
        const prompt = texts.at(-1);
        if (prompt !== undefined && !blocks.some(({ type }) => type === "tool_result"))
          return scriptOf(prompt, results);
      }
      return scriptOf("", 0);
    },
    errorBody: (status) => ({
      type: "error",
      error: { type: errorTypes[status] ?? "api_error", message: `fake ${status}` },
    }),
    other: (path) => (path.endsWith("/count_tokens") ? { input_tokens: 100 } : undefined),
    text: (text) => ({ type: "text", text }),
    block({ kind, rest }) {
      if (kind !== "tool") throw new Error(`the fake of Anthropic's API has no @@${kind}`);
      const [name, input] = headAndTail(rest);
      serial += 1;
      return { type: "tool_use", id: `toolu_fake_${serial}`, name, input: JSON.parse(input || "{}") };
    },
    async *stream({ request: body, blocks, pause }) {
      serial += 1;
      const start = { id: `msg_fake_${serial}`, type: "message", role: "assistant", model: request.parse(body).model };
      yield event("message_start", {
        message: {
          ...start,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { ...counts, output_tokens: 1 },
        },
      });
      for (const [index, block] of blocks.entries()) {
        const empty = block.type === "text" ? { ...block, text: "" } : { ...block, input: {} };
        yield event("content_block_start", { index, content_block: empty });
        for (const delta of deltas(block)) {
          await pause();
          yield event("content_block_delta", { index, delta });
        }
        yield event("content_block_stop", { index });
      }
      const stop_reason = blocks.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn";
      yield event("message_delta", { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 20 } });
      yield event("message_stop", {});
    },
  };
  return startFake(dialect);
}

function deltas(block: Block): readonly unknown[] {
  if (block.type === "tool_use") return [{ type: "input_json_delta", partial_json: JSON.stringify(block.input) }];
  return words(block.text).map((text) => ({ type: "text_delta", text }));
}

function event(type: string, data: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
}
