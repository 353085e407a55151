import type { LanguageModelV4 } from "@ai-sdk/provider";
import { claudeCli } from "../../../models/claude.ts";
import { codexCli } from "../../../models/codex.ts";
import type { Environment } from "../../../models/errors.ts";
import type { Settings } from "../settings.ts";

/** The model that writes improvements. */
export function modelOf(settings: Settings, env: Environment): LanguageModelV4 {
  const make = settings.SEED_MODEL === "claude" ? claudeCli : codexCli;
  return make({ env: modelVariables(settings, env), timeoutSeconds: settings.SEED_MODEL_SECONDS });
}

/** The variables for a CLI: the environment, overridden by the settings, which contain the credentials. */
export function modelVariables(settings: Settings, env: Environment): Environment {
  const named = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  );
  return { ...env, ...Object.fromEntries(named) };
}
