/**
 * Language models for the Vercel AI SDK over the Claude Code and Codex CLIs: `import { … } from "changelings/models"`.
 */

export { type ChatOptions, type ChatPayload, type ChatResult, chat } from "./chat.ts";
export { claudeCli, claudeCliLanguageModel } from "./claude.ts";
export type { CliModelOptions } from "./cli-language-model.ts";
export { codexCli, codexCliLanguageModel } from "./codex.ts";
export { costOfFailure, isMissingApiKey, isOverBudget } from "./errors.ts";
