import * as z from "zod/mini";
import { type ProgramEnd, runProgram, timedOut } from "../../../lib/process.ts";
import { claudeEnvironment } from "../../../models/claude.ts";
import { codexEnvironment } from "../../../models/codex.ts";
import { modelVariables } from "../improve/model.ts";
import type { Settings } from "../settings.ts";

/** Asks the model's CLI whether it is logged in. @returns how. @throws with the remedy if it is not */
export type LoginProbe = (mode: Settings["SEED_MODE"]) => Promise<string>;

export interface LoginProbeOptions {
  readonly run?: typeof runProgram;
  readonly now?: () => number;
}

/** How long an answer is reused, in ms. Each start of a CLI takes a second. */
const goodMilliseconds = 5 * 60_000;
const badMilliseconds = 60_000;
const timeoutSeconds = 20;

const claudeStatus = z.object({ loggedIn: z.boolean(), authMethod: z.optional(z.string()) });

export function loginProbe(
  settings: Settings,
  { run = runProgram, now = () => performance.now() }: LoginProbeOptions = {},
): LoginProbe {
  let known: { readonly until: number; readonly result: Promise<Login> } | undefined;
  return async (mode) => {
    if (mode === "off") return "not needed: the mode is off";
    if (known === undefined || now() >= known.until) {
      const result = ask(settings, run);
      // The CLI is started once at a time. How long its answer is reused depends on the answer.
      known = { until: Number.POSITIVE_INFINITY, result };
      void result.then(({ ok }) => {
        known = { until: now() + (ok ? goodMilliseconds : badMilliseconds), result };
      });
    }
    const { ok, detail } = await known.result;
    if (!ok) throw new Error(detail);
    return detail;
  };
}

interface Login {
  readonly ok: boolean;
  readonly detail: string;
}

async function ask(settings: Settings, run: typeof runProgram): Promise<Login> {
  const { command, args, env, name, login } = cli(settings);
  const end = await run(command, args, { env, timeoutSeconds, maxOutput: 100_000 });
  if (end.code === timedOut) return { ok: false, detail: `${name} did not answer within ${timeoutSeconds} s` };
  const how = methodOf(settings.SEED_MODEL, end);
  if (end.code === 0 && how !== undefined) return { ok: true, detail: `${name}: ${how}` };
  // `codex login status` ignores an API key, but codex uses it.
  if (settings.SEED_MODEL === "codex" && end.code === 1 && env["OPENAI_API_KEY"] !== undefined)
    return { ok: true, detail: "codex: has an API key" };
  if (end.code === 127) return { ok: false, detail: `${name} can't be started: ${end.stderr.trim()}` };
  return { ok: false, detail: `missing_api_key: ${name} is not logged in; ${login}` };
}

/** Leaves out the account's name, which the CLI prints, too. */
function methodOf(model: Settings["SEED_MODEL"], { stdout }: ProgramEnd): string | undefined {
  if (model === "codex") return "logged in";
  let printed: unknown;
  try {
    printed = JSON.parse(stdout);
  } catch {
    return undefined;
  }
  const { data } = claudeStatus.safeParse(printed);
  return data?.loggedIn === true ? `logged in (${data.authMethod ?? "unknown method"})` : undefined;
}

function cli(settings: Settings) {
  const variables = modelVariables(settings, { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/", ...process.env });
  if (settings.SEED_MODEL === "codex") {
    return {
      ...{ name: "codex", command: settings.CODEX_CLI_PATH, args: ["login", "status"] },
      env: codexEnvironment(variables),
      login: "mount a .codex folder with a login and set CODEX_HOME, or set OPENAI_API_KEY",
    };
  }
  return {
    ...{ name: "claude", command: settings.CLAUDE_CLI_PATH, args: ["auth", "status"] },
    env: claudeEnvironment(variables),
    login: "set CLAUDE_CODE_OAUTH_TOKEN (`claude setup-token`), ANTHROPIC_API_KEY or CLAUDE_HOME",
  };
}
