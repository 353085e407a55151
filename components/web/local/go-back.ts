import type { InstallationPaths } from "../../host/installation-paths.ts";
import { quoted } from "../../lib/shell-command.ts";
import type { Agent } from "../../mngr/client.ts";
import { failedStart } from "../agent/failed-start.ts";
import { type WebRecord, writeRecord } from "../agent/record.ts";
import { digestOfSpec, type WebSpec } from "../agent/spec.ts";
import { type Merged, takeBack } from "../repo/merge.ts";
import { type StartOptions, startAgent } from "./start-agent.ts";

export interface FailedUpdate extends StartOptions {
  readonly spec: WebSpec;
  readonly record: WebRecord;
  /** The merge that the update made. */
  readonly merged: Merged;
  /** The agent before the update; undefined if there was none. */
  readonly agent: Agent | undefined;
  readonly paths: InstallationPaths;
}

/**
 * Rolls back to what ran before a failed update. The agent's commits since then are kept.
 *
 * @returns the error to fail with: the cause, what runs now, and the agent's log tail
 */
export async function goBack(error: unknown, update: FailedUpdate): Promise<Error> {
  const { spec, secrets } = update;
  return await failedStart(error, {
    name: spec.name,
    secrets,
    shown: () => shownBy(update),
    goBack: () => restored(update),
  });
}

async function restored(update: FailedUpdate): Promise<string> {
  const { record, merged, agent, mngr, env, paths } = update;
  const { applied: before, merged: _done, ...kept } = record;
  const isUndone = await takeBack(record.repo, merged, env);
  if (before?.enabled !== true) {
    // Nothing else removes the agent of a failed create; an agent that existed before stays.
    if (agent === undefined) await mngr.destroy([record.agentId]);
    else await mngr.stop(record.agentId);
    writeRecord(paths, before === undefined ? kept : { ...kept, applied: before });
    return agent === undefined ? "no agent is left" : "its agent is stopped";
  }
  if (merged.before === merged.after && digestOfSpec(before) === digestOfSpec(update.spec)) {
    return "the previous version is the same";
  }
  const data = before.data ?? `${record.repo}.data`;
  const { hostAddress } = await startAgent(before, { ...kept, data }, update);
  writeRecord(paths, { ...kept, data, applied: before, hostAddress });
  if (isUndone) return "the previous version runs again";
  return `the previous version runs again, but with the new code: the agent has committed on top of it, or changed its files (git -C ${quoted(record.repo)} log)`;
}

async function shownBy({ record: { agentId }, mngr }: FailedUpdate): Promise<string | undefined> {
  const { agents } = await mngr.list();
  const state = agents.find(({ id }) => id === agentId)?.state;
  return state === undefined || state === "STOPPED" ? undefined : await mngr.capture(agentId, state === "DONE");
}
