import * as z from "zod/mini";
import { headAndTail, newlines, scriptOf, words } from "./script.ts";
import { type Dialect, type FakeModelApi, startFake } from "./server.ts";

type Item = { readonly type: string; readonly id: string } & Readonly<Record<string, unknown>>;

const request = z.looseObject({
  model: z._default(z.string(), "none"),
  input: z._default(
    z.array(
      z.looseObject({
        type: z._default(z.string(), "message"),
        role: z.optional(z.string()),
        content: z.optional(z.union([z.string(), z.array(z.looseObject({ text: z.optional(z.string()) }))])),
      }),
    ),
    [],
  ),
});

const usage = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 120,
};

/** Starts a fake of OpenAI's Responses API, for the Codex CLI. Its base URL ends with `/v1`. */
export async function startFakeResponses(): Promise<FakeModelApi> {
  let serial = 0;
  const callId = () => {
    serial += 1;
    return `call_fake_${serial}`;
  };
  const dialect: Dialect<Item> = {
    path: "/responses",
    script(body) {
      let results = 0;
      for (const { type, role, content = [] } of [...request.parse(body).input].reverse()) {
        if (/_(call_)?output$/.test(type)) results += 1;
        if (role !== "user") continue;
        const texts = typeof content === "string" ? [content] : content.map(({ text = "" }) => text);
        // The CLI adds its own context in tags; it is not the prompt.
        const own = texts.filter((text) => !/^\s*(<[a-z_]+>|# AGENTS\.md)/.test(text));
        if (own.length > 0) return scriptOf(own.join("\n"), results);
      }
      return scriptOf("", 0);
    },
    errorBody: (status) => ({
      error: { message: `fake ${status}`, type: "fake_error", code: `fake_${status}`, param: null },
    }),
    other: (path) => (path.endsWith("/models") ? { object: "list", data: [], models: [] } : undefined),
    text(text) {
      serial += 1;
      const content = [{ type: "output_text", text, annotations: [] }];
      return { type: "message", id: `msg_fake_${serial}`, role: "assistant", status: "completed", content };
    },
    block({ kind, rest }) {
      const call_id = callId();
      const [head, tail] = headAndTail(rest);
      const common = { call_id, status: "completed" };
      if (kind === "custom")
        return { type: "custom_tool_call", id: `ctc_${call_id}`, name: head, input: newlines(tail), ...common };
      if (kind !== "tool") throw new Error(`the fake of OpenAI's API has no @@${kind}`);
      const [name = "", namespace] = head.split("/").reverse();
      return { type: "function_call", id: `fc_${call_id}`, namespace, name, arguments: tail || "{}", ...common };
    },
    async *stream({ request: body, blocks, pause }) {
      serial += 1;
      const { model } = request.parse(body);
      const response = { id: `resp_fake_${serial}`, object: "response", model, status: "in_progress", output: [] };
      let sequence_number = 0;
      const event = (type: string, data: object): string => {
        sequence_number += 1;
        return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, ...data })}\n\n`;
      };
      yield event("response.created", { response });
      for (const [output_index, item] of blocks.entries()) {
        const text = textOf(item);
        const added = text === undefined ? item : { ...item, status: "in_progress", content: [] };
        yield event("response.output_item.added", { output_index, item: added });
        for (const delta of text === undefined ? [] : words(text)) {
          await pause();
          yield event("response.output_text.delta", { item_id: item.id, output_index, content_index: 0, delta });
        }
        yield event("response.output_item.done", { output_index, item });
      }
      yield event("response.completed", { response: { ...response, status: "completed", output: blocks, usage } });
    },
  };
  return startFake(dialect);
}

function textOf({ type, content }: Item): string | undefined {
  if (type !== "message") return undefined;
  return z
    .array(z.object({ text: z.string() }))
    .parse(content)
    .map(({ text }) => text)
    .join("");
}
