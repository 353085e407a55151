import type { LanguageModelV4CallOptions, SharedV4Warning } from "@ai-sdk/provider";
import type { Call } from "./cli-language-model.ts";

const settings = [
  ...(["temperature", "topP", "topK", "presencePenalty", "frequencyPenalty", "seed"] as const),
  ...(["stopSequences", "maxOutputTokens", "tools", "toolChoice"] as const),
];

/** Warnings for the settings of a call that a CLI does not support. */
export function unsupported(
  options: LanguageModelV4CallOptions,
  supported: readonly (typeof settings)[number][] = [],
): SharedV4Warning[] {
  const hasTools = options.tools !== undefined && options.tools.length > 0;
  const isSet = (name: (typeof settings)[number]): boolean =>
    name === "tools" || name === "toolChoice" ? name === "tools" && hasTools : options[name] !== undefined;
  const warnings: SharedV4Warning[] = settings
    .filter((name) => !supported.includes(name) && isSet(name))
    .map((feature) => ({ type: "unsupported", feature }));
  const { responseFormat } = options;
  if (responseFormat?.type === "json" && responseFormat.schema === undefined)
    warnings.push({
      type: "compatibility",
      feature: "responseFormat",
      details: "JSON without a schema is only requested in the prompt",
    });
  return warnings;
}

/** The system prompt. If JSON without a schema is wanted, it says so. */
export function systemPrompt({ prompt, options: { responseFormat } }: Call): string {
  const isJson = responseFormat?.type === "json" && responseFormat.schema === undefined;
  return [prompt.system, ...(isJson ? ["Answer with a JSON value alone."] : [])].filter(Boolean).join("\n\n");
}
