import { join } from "node:path";
import * as z from "zod/mini";
import { readRegularFile } from "../host/regular-file.ts";
import { plainWords } from "../lib/text.ts";
import { agentFolder } from "./host-dir.ts";
import { parseJson } from "./output.ts";

/** The error of the model's API with which a conversation ended. */
export interface ApiFailure {
  /** There is no key, or the API rejects it: the next run will fail too. */
  readonly isAboutKey: boolean;
  /** One line, as Claude Code showed it. */
  readonly text: string;
}

/** What a conversation consists of. The transcript contains much else. */
const turn = z.object({
  type: z.enum(["assistant", "user"]),
  isSidechain: z.optional(z.boolean()),
  isApiErrorMessage: z.optional(z.boolean()),
  error: z.optional(z.string()),
  message: z.object({ content: z.union([z.string(), z.array(z.looseObject({ text: z.optional(z.string()) }))]) }),
});

/** Enough for the last message of a conversation. */
const tailBytes = 1_000_000;
const mostLength = 300;

/**
 * Why Claude Code gave up: it then waits for input, just as after its work. The agent can write to the file, so an error is
 * never a reason to consider a run successful.
 *
 * @returns undefined if its last message is no error, or there is no conversation
 */
export function apiFailureOf(hostDir: string, agentId: string): ApiFailure | undefined {
  const path = join(agentFolder(hostDir, agentId), "logs", "claude_transcript", "events.jsonl");
  const read = readRegularFile(path, { mostBytes: tailBytes, startOf: (size) => size - tailBytes });
  for (const line of (read?.text ?? "").split("\n").reverse()) {
    const { success, data } = turn.safeParse(parseJson(line));
    if (!success || data.isSidechain === true) continue;
    if (data.isApiErrorMessage !== true) return undefined;
    const { content } = data.message;
    const text = typeof content === "string" ? content : content.map((block) => block.text ?? "").join(" ");
    const shown = plainWords(text).replace(/\s+/g, " ").trim();
    return { isAboutKey: data.error === "authentication_failed", text: shown.slice(0, mostLength) };
  }
  return undefined;
}
