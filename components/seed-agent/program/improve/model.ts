import type { LanguageModelV4 } from "@ai-sdk/provider";
import { claudeCli } from "../../../models/claude.ts";
import { codexCli } from "../../../models/codex.ts";
import type { Environment } from "../../../models/errors.ts";
import type { Settings } from "../settings.ts";

/** The model that writes improvements. Its CLI's variables are those of the settings; `env` has PATH, HOME and the like. */
export function modelOf(settings: Settings, env: Environment): LanguageModelV4 {
  const named = Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
  const make = settings.SEED_MODEL === "claude" ? claudeCli : codexCli;
  return make({ env: { ...env, ...named }, timeoutSeconds: settings.SEED_MODEL_SECONDS });
}
