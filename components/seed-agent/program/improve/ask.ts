import { setTimeout as sleep } from "node:timers/promises";
import { APICallError, type LanguageModelV4, type LanguageModelV4Prompt } from "@ai-sdk/provider";
import * as z from "zod/mini";
import { costOfFailure } from "../../../models/errors.ts";
import { answerSchema } from "./answer.ts";

export interface Question {
  readonly system: string;
  /** The prompt, then the model's answers and the requests to repair them, in turn. */
  readonly texts: readonly string[];
  readonly maxUsd: number;
  readonly signal: AbortSignal;
  /** Called with the cost of each attempt, also of failed ones. */
  readonly onCost: (usd: number) => void;
}

const metadata = z.record(z.string(), z.object({ costUsd: z.optional(z.number()) }));

/** How often a retryable call is made, and the first pause between, in ms. */
const maxAttempts = 3;
const firstPauseMs = 2000;

/**
 * Asks the model for a change. Does not use `generateText`, which loses the cost of failed attempts, and the text of an answer
 * that does not match the schema.
 *
 * @returns the answer's text
 */
export async function ask(
  model: LanguageModelV4,
  { system, texts, maxUsd, signal, onCost }: Question,
): Promise<string> {
  const prompt: LanguageModelV4Prompt = [
    { role: "system", content: system },
    ...texts.map((text, index) => ({
      role: index % 2 === 0 ? ("user" as const) : ("assistant" as const),
      content: [{ type: "text" as const, text }],
    })),
  ];
  let left = maxUsd;
  const spend = (usd: number): void => {
    left -= usd;
    onCost(usd);
  };
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const result = await model.doGenerate({
        prompt,
        responseFormat: { type: "json", schema: answerSchema, name: "change" },
        abortSignal: signal,
        // Only Claude has this limit. Other models ignore it.
        providerOptions: { claudeCli: { maxBudgetUsd: left } },
      });
      const costs = metadata.safeParse(result.providerMetadata ?? {});
      for (const { costUsd } of Object.values(costs.success ? costs.data : {})) spend(costUsd ?? 0);
      return result.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    } catch (error) {
      spend(costOfFailure(error));
      if (!APICallError.isInstance(error) || !error.isRetryable || attempt === maxAttempts || left <= 0) throw error;
      await sleep(firstPauseMs * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}
