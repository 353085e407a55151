import * as z from "zod/mini";
import type { CliFailure } from "./failure.ts";

/** The environment variables that can contain the key, by descending precedence. */
export const codexKeys = ["OPENAI_API_KEY", "CODEX_API_KEY"] as const;

const tokens = z.object({
  input_tokens: z.number(),
  cached_input_tokens: z.catch(z.optional(z.number()), undefined),
  cache_write_input_tokens: z.catch(z.optional(z.number()), undefined),
  output_tokens: z.number(),
  reasoning_output_tokens: z.catch(z.optional(z.number()), undefined),
});
export type CodexTokens = z.output<typeof tokens>;

/** The events that `codex exec --json` prints, one a line. */
const events = z.discriminatedUnion("type", [
  z.object({ type: z.literal("thread.started"), thread_id: z.uuid() }),
  z.object({ type: z.literal("turn.completed"), usage: z.catch(z.optional(tokens), undefined) }),
  z.object({ type: z.literal("turn.failed"), error: z.object({ message: z.string() }) }),
  z.object({ type: z.literal("error"), message: z.string() }),
  z.object({ type: z.enum(["item.started", "item.updated", "item.completed"]), item: z.optional(z.unknown()) }),
]);
export type CodexEvent = z.output<typeof events>;

const items = z.discriminatedUnion("type", [
  z.object({ type: z.literal("agent_message"), id: z.string(), text: z.string() }),
  z.object({ type: z.literal("error"), id: z.string(), message: z.string() }),
  z.object({
    type: z.literal("command_execution"),
    id: z.string(),
    command: z.string(),
    aggregated_output: z._default(z.string(), ""),
    exit_code: z.nullish(z.number()),
    status: z.optional(z.string()),
  }),
  z.object({
    type: z.literal("file_change"),
    id: z.string(),
    changes: z.array(z.looseObject({ path: z.string(), kind: z.optional(z.unknown()) })),
    status: z.optional(z.string()),
  }),
  z.object({
    type: z.literal("mcp_tool_call"),
    id: z.string(),
    server: z.string(),
    tool: z.string(),
    arguments: z.optional(z.unknown()),
    result: z.optional(z.unknown()),
    error: z.nullish(z.object({ message: z.string() })),
    status: z.optional(z.string()),
  }),
  z.object({ type: z.literal("web_search"), id: z.string(), query: z._default(z.string(), "") }),
]);
export type CodexItem = z.output<typeof items>;

/** @returns undefined if the value is not an event, or of an unknown type */
export function codexEvent(value: unknown): CodexEvent | undefined {
  const { success, data } = events.safeParse(value);
  return success ? data : undefined;
}

/** The item of an `item.*` event; undefined for other events, and for items of unknown types. */
export function codexItem(event: CodexEvent): CodexItem | undefined {
  if (!("item" in event)) return undefined;
  const { success, data } = items.safeParse(event.item);
  return success ? data : undefined;
}

/** Decides by its events whether a run succeeded. */
export class CodexRun {
  #keyIsRejected = false;
  #failure: string | undefined;
  #isComplete = false;
  #usage: CodexTokens | undefined;
  #answer = "";

  take(event: CodexEvent): void {
    const item = codexItem(event);
    if (event.type === "item.completed" && item?.type === "agent_message") this.#answer = item.text;
    if (event.type === "turn.completed") {
      this.#isComplete = true;
      this.#usage = event.usage;
    }
    if (event.type === "turn.failed") this.#fail(event.error.message);
    // The CLI also reports each retry, so this need not be the end.
    if (event.type === "error") this.#fail(event.message);
  }

  /** Of the whole thread if it was resumed. */
  get usage(): CodexTokens | undefined {
    return this.#usage;
  }

  /** Its last message. */
  get answer(): string {
    return this.#answer;
  }

  /** Whether the API rejects the key. Waiting for the CLI's end is pointless then: it retries. */
  get keyIsRejected(): boolean {
    return this.#keyIsRejected;
  }

  /** @param otherwise the reason if the CLI gave none @returns undefined if the run succeeded */
  failure(otherwise: string): CliFailure | undefined {
    const message = this.#failure ?? otherwise;
    if (this.#keyIsRejected) return { code: "missing_api_key", status: 401, reason: reasonIn(message) };
    if (this.#isComplete) return undefined;
    const isWithoutKey = /^Missing environment variable: /.test(message);
    return {
      code: isWithoutKey ? "missing_api_key" : "failed",
      status: statusIn(message),
      reason: reasonIn(message),
    };
  }

  #fail(message: string): void {
    this.#failure = message;
    // After a 401, the CLI asks the command that gave it the key for another one, which fails.
    if (statusIn(message) === 401 || message.includes("provider auth command ")) this.#keyIsRejected = true;
  }
}

const apiError = z.object({ error: z.object({ message: z.string() }) });

/** The CLI reports the JSON body of a 400 unchanged. */
function bodyIn(message: string): z.output<typeof apiError> | undefined {
  try {
    return apiError.parse(JSON.parse(message));
  } catch {
    return undefined;
  }
}

function reasonIn(message: string): string {
  return bodyIn(message)?.error.message ?? message;
}

/** Events have no field for the status. It is only in the message, and not in those of 500 and above. */
function statusIn(message: string): number | undefined {
  if (bodyIn(message) !== undefined) return 400;
  const [, status] = /\b(?:unexpected|last) status:? (\d{3})\b/.exec(message) ?? [];
  return status === undefined ? undefined : Number(status);
}
