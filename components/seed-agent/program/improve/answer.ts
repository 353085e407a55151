import * as z from "zod/mini";
import type { Submission } from "../domain.ts";

/** The maximum length of a file, in characters. */
const maxFileLength = 200_000;

/**
 * The form of the model's answer. Files are a list, because OpenAI's API accepts no schema of an object with arbitrary keys,
 * and requires every property to be required.
 */
const answer = z.strictObject({
  summary: z.string().check(z.minLength(1), z.maxLength(500)),
  answers: z.enum(["same", "may differ"]),
  files: z
    .array(
      z.strictObject({
        path: z.string().check(z.minLength(1), z.maxLength(200)),
        content: z.nullable(z.string().check(z.maxLength(maxFileLength))),
      }),
    )
    .check(z.maxLength(50)),
});

/** The JSON schema for the API. It has no limits, which some APIs don't support; `proposalOf` checks them. */
export const answerSchema = {
  type: "object",
  additionalProperties: false,
  required: ["summary", "answers", "files"],
  properties: {
    summary: { type: "string", description: "What the change does and why, in one sentence. At most 500 characters." },
    answers: {
      type: "string",
      enum: ["same", "may differ"],
      description: "same: each recorded request is answered exactly as before. may differ: a person has to approve it.",
    },
    files: {
      type: "array",
      description: "The files that change, each with its whole new text. Empty if nothing is worth a change.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["path", "content"],
        properties: {
          path: { type: "string" },
          content: { anyOf: [{ type: "string" }, { type: "null" }], description: "null deletes the file." },
        },
      },
    },
  },
} as const;

export type Proposal = Pick<Submission, "summary" | "answers" | "files">;

/** @returns the model's proposal, or the problems of its answer */
export function proposalOf(text: string): Proposal | readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return ["the answer is not JSON"];
  }
  const parsed = answer.safeParse(value);
  if (!parsed.success)
    return parsed.error.issues.map(({ path, message }) => `${path.map(String).join(".") || "answer"}: ${message}`);
  const { summary, answers, files } = parsed.data;
  const paths = files.map(({ path }) => path);
  const twice = paths.filter((path, index) => paths.indexOf(path) !== index);
  if (twice.length > 0) return twice.map((path) => `files: ${path} is listed twice`);
  return { summary, answers, files: Object.fromEntries(files.map(({ path, content }) => [path, content])) };
}
