import { envFileText } from "../../mngr/env-file.ts";
import type { WebSpec } from "./spec.ts";

export interface AgentFolders {
  /** Absolute paths on the agent's machine. */
  readonly data: string;
  readonly memory: string;
}

/**
 * The text of an agent's env file.
 *
 * @param defaults values that anything else overrides
 * @param secrets values by variable name
 */
export function agentVariables(
  spec: WebSpec,
  { data, memory }: AgentFolders,
  defaults: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): string {
  const own = { ...spec.env, ...secrets };
  const { GITHUB_TOKEN: token } = own;
  const text = envFileText({
    ...defaults,
    ...(token === undefined ? {} : { GH_TOKEN: token }),
    ...own,
    CHANGELING_NAME: spec.name,
    CHANGELING_DATA: data,
    CHANGELING_MEMORY: memory,
  });
  // Spec 001's name of the variable. mngr sets its own first, and the shell that reads both expands this one.
  return `${text}MNG_AGENT_STATE_DIR="$MNGR_AGENT_STATE_DIR"\n`;
}
