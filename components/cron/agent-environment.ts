import * as z from "zod/mini";
import type { StockChangeling } from "../../changelings/stock.ts";
import { list, number, optionalText, record, text, type ValuesOf, yesNo } from "../command-environment.ts";
import type { DeclaredCron } from "./declared.ts";
import { scheduleInWords } from "./schedule.ts";

/** The agent variables that both providers share. */
export const agentVariables = {
  name: ["NAME", text],
  enabled: ["ENABLED", yesNo],
  schedule: ["SCHEDULE", text],
  /** The schedule in words, for people. The program never parses it. */
  when: ["WHEN", text],
  timezone: ["TIMEZONE", text],
  branch: ["BRANCH", text],
  agentType: ["AGENT_TYPE", text],
  /** Fingerprint of the stock definition, so that a new prompt or script changes the job. */
  definition: ["AGENT_DEFINITION", optionalText],
  /** The type passed to mngr. AGENT_ENDS: the agent exits by itself (`command`), or it settles (`conversation`). */
  mngrType: ["MNGR_TYPE", text],
  isConversational: [
    "AGENT_ENDS",
    z.codec(z.enum(["command", "conversation"]), z.boolean(), {
      decode: (ends) => ends === "conversation",
      encode: (isConversational) => (isConversational ? "conversation" : "command"),
    }),
  ],
  agentArgs: ["AGENT_ARGS", list],
  initialMessage: ["MESSAGE", optionalText],
  template: ["TEMPLATE", optionalText],
  buildArgs: ["BUILD_ARGS", list],
  env: ["ENV", record],
  timeoutSeconds: ["TIMEOUT_SECONDS", number],
  settleSeconds: ["SETTLE_SECONDS", number],
  keepRuns: ["KEEP_RUNS", number],
  /** Its former name. The job under that name is removed first, so that both never fire. */
  renamedFrom: ["RENAMED_FROM", optionalText],
} as const;

export type AgentVariables = ValuesOf<typeof agentVariables>;

/** The values that the declaration alone does not give. */
export function agentValues(changeling: DeclaredCron, stock: StockChangeling | undefined): AgentVariables {
  return {
    ...changeling,
    when: scheduleInWords(changeling.schedule),
    definition: stock?.fingerprint,
    mngrType: stock?.parentType ?? changeling.agentType,
  };
}

/** The agent of a job or an app as installed, with the texts of its stock definition filled in. */
export function agentOf(from: AgentVariables, stock: StockChangeling | undefined) {
  const { agentType, mngrType, isConversational, agentArgs, initialMessage, template, buildArgs, env } = from;
  return {
    type: agentType,
    mngrType,
    isConversational,
    script: stock?.script,
    settings: stock === undefined ? undefined : [...stock.settings],
    args: [...(agentArgs.length > 0 ? agentArgs : (stock?.args ?? []))],
    message: initialMessage ?? stock?.message,
    template,
    buildArgs: [...buildArgs],
    env,
  };
}
