import * as z from "zod/mini";
import type { StockChangeling } from "../../changelings/stock.ts";
import { type DeclaredCron, scheduleInWords } from "../fleet/index.ts";

/**
 * What a run is made of wherever it runs, as the environment of a Command: field by field, in words, because this is
 * what a preview shows. What is not set is undefined, which the engine leaves out: a preview says `+ TEMPLATE` when it
 * comes.
 */
export const agentEnvironment = {
  NAME: z.string(),
  ENABLED: z.enum(["yes", "no"]),
  SCHEDULE: z.string(),
  /** The schedule in words; for people, not read. */
  WHEN: z.string(),
  TIMEZONE: z.string(),
  BRANCH: z.string(),
  AGENT_TYPE: z.string(),
  /** The stock definition's fingerprint: a new prompt or script is a change of the job. */
  AGENT_DEFINITION: z.optional(z.string()),
  /** What mngr is told to make, and whether it ends by itself (`command`) or has to settle (`conversation`). */
  MNGR_TYPE: z.string(),
  AGENT_ENDS: z.enum(["command", "conversation"]),
  AGENT_ARGS: z.optional(z.string()),
  MESSAGE: z.optional(z.string()),
  TEMPLATE: z.optional(z.string()),
  BUILD_ARGS: z.optional(z.string()),
  ENV: z.optional(z.string()),
  TIMEOUT_SECONDS: z.string(),
  SETTLE_SECONDS: z.string(),
  KEEP_RUNS: z.string(),
  /** The name that it had: what is installed under it is removed first, so that it never fires as both. */
  RENAMED_FROM: z.optional(z.string()),
} as const;

const agentWords = z.object(agentEnvironment);

export type AgentEnvironment = z.infer<typeof agentWords>;

export function environmentOfAgent(changeling: DeclaredCron, stock: StockChangeling | undefined): AgentEnvironment {
  return {
    NAME: changeling.name,
    ENABLED: yes(changeling.enabled),
    SCHEDULE: changeling.schedule,
    WHEN: scheduleInWords(changeling.schedule),
    TIMEZONE: changeling.timezone,
    BRANCH: changeling.branch,
    AGENT_TYPE: changeling.agentType,
    AGENT_DEFINITION: stock?.fingerprint,
    MNGR_TYPE: stock?.parentType ?? changeling.agentType,
    AGENT_ENDS: changeling.isConversational ? "conversation" : "command",
    AGENT_ARGS: list(changeling.agentArgs),
    MESSAGE: changeling.initialMessage,
    TEMPLATE: changeling.template,
    BUILD_ARGS: list(changeling.buildArgs),
    ENV: Object.keys(changeling.env).length > 0 ? JSON.stringify(changeling.env) : undefined,
    TIMEOUT_SECONDS: String(changeling.timeoutSeconds),
    SETTLE_SECONDS: String(changeling.settleSeconds),
    KEEP_RUNS: String(changeling.keepRuns),
    RENAMED_FROM: changeling.renamedFrom,
  };
}

/** The inverse, where the agent is made: a stock definition's texts are filled in. */
export function agentOf(from: AgentEnvironment, stock: StockChangeling | undefined) {
  return {
    type: from.AGENT_TYPE,
    mngrType: from.MNGR_TYPE,
    isConversational: from.AGENT_ENDS === "conversation",
    script: stock?.script,
    settings: stock === undefined ? undefined : [...stock.settings],
    args: strings(from.AGENT_ARGS, stock?.args ?? []),
    message: from.MESSAGE ?? stock?.message,
    template: from.TEMPLATE,
    buildArgs: strings(from.BUILD_ARGS, []),
    env: from.ENV === undefined ? {} : z.record(z.string(), z.string()).parse(JSON.parse(from.ENV)),
  };
}

export function yes(value: boolean): "yes" | "no" {
  return value ? "yes" : "no";
}

function list(values: readonly string[]): string | undefined {
  return values.length > 0 ? JSON.stringify(values) : undefined;
}

function strings(json: string | undefined, fallback: readonly string[]): string[] {
  return json === undefined ? [...fallback] : z.array(z.string()).parse(JSON.parse(json));
}
