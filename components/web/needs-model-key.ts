import { stockWebType } from "../../changelings/stock-web.ts";
import type { AgentTypes } from "../fleet/agent-types.ts";

/** Whether a web changeling's agent is Claude, or answers with it. @param type undefined: nobody knows */
export function needsModelKey(type: string | undefined, types: AgentTypes): boolean {
  if (type === undefined) return false;
  return types.base(type) === "claude" || stockWebType(type)?.needsClaude === true;
}
