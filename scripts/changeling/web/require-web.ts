import type { Verb } from "../../../components/fleet/verbs.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { readRecord, removedText, type WebRecord } from "../../../components/web/agent/record.ts";
import { deployedWeb } from "../../../components/web/inspect/list.ts";
import { notDeployedText, refuseOthers } from "../kinds.ts";
import { requireStack } from "../known-stack.ts";
import type { StackSelection } from "../stack-selection.ts";

/** @throws if no web changeling of that name is deployed; the error says what to do instead, or suggests a name */
export async function requireWeb(selection: StackSelection, name: string, verb: Verb): Promise<WebRecord> {
  // Pages only know the agent's id.
  const record = deployedWeb(selection).find(({ agentId }) => agentId === name) ?? readRecord(selection.paths, name);
  if (record !== undefined && record.removed !== true) return record;
  refuseOthers(selection, name, verb);
  if (record !== undefined) throw new Error(removedText(record));
  const names = deployedWeb(selection).map((each) => each.name);
  if (names.length === 0) {
    await requireStack(selection);
    throw new Error(`no web changeling is deployed on this stack; deploy one with: ${changelingCommand()} deploy`);
  }
  throw new Error(notDeployedText("web changeling", name, names));
}
