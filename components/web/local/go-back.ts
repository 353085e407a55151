import type { InstallationPaths } from "../../installation-paths.ts";
import type { Agent } from "../../mngr/client.ts";
import { masked, plainLines } from "../../modal/plain-text.ts";
import { type WebRecord, writeRecord } from "../record.ts";
import { digestOfSpec, type WebSpec } from "../spec.ts";
import { type Merged, takeBack } from "./merge.ts";
import { type StartOptions, startAgent } from "./start-agent.ts";

export interface FailedUpdate extends StartOptions {
  readonly spec: WebSpec;
  readonly record: WebRecord;
  /** What the update merged. */
  readonly merged: Merged;
  /** As it was before the update; undefined: there was none. */
  readonly agent: Agent | undefined;
  readonly paths: InstallationPaths;
}

/** How much of an agent's terminal an error tells. */
const tailLines = 20;

/**
 * Goes back to what ran before an update that failed. What the agent committed since stays.
 *
 * @returns the error to fail with: why, what runs now, and the end of the agent's log
 */
export async function goBack(error: unknown, update: FailedUpdate): Promise<Error> {
  const { spec, secrets } = update;
  const hidden = Object.values(secrets);
  const log = await tailOf(update);
  const standing = await restored(update).catch((fault) => `and it could not be rolled back: ${textOf(fault)}`);
  const tail = log === "" ? "" : `\nthe end of its log:\n${log}`;
  return new Error(masked(`${spec.name} did not come up: ${textOf(error)}; ${standing}${tail}`, hidden));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function restored(update: FailedUpdate): Promise<string> {
  const { record, merged, agent, mngr, env, paths } = update;
  const { applied: before, merged: _done, ...kept } = record;
  const isUndone = await takeBack(record.repo, merged, env);
  if (before?.enabled !== true) {
    // A create that fails is nobody's to remove; what stood before is.
    if (agent === undefined) await mngr.destroy([record.agentId]);
    else await mngr.stop(record.agentId);
    writeRecord(paths, before === undefined ? kept : { ...kept, applied: before });
    return agent === undefined ? "no agent is left" : "its agent is stopped";
  }
  if (merged.before === merged.after && digestOfSpec(before) === digestOfSpec(update.spec)) {
    return "it is what ran before, too";
  }
  const data = before.data ?? `${record.repo}.data`;
  const { hostAddress } = await startAgent(before, { ...kept, data }, update);
  writeRecord(paths, { ...kept, data, applied: before, hostAddress });
  if (isUndone) return "what ran before runs again";
  return `what ran before runs again, but with the new code: the agent has committed upon it, or changed its files (git -C ${record.repo} log)`;
}

/** The end of what its terminal shows; empty when there is none. */
async function tailOf({ record, mngr, secrets }: FailedUpdate): Promise<string> {
  try {
    const { agents } = await mngr.list();
    const state = agents.find(({ id }) => id === record.agentId)?.state;
    if (state === undefined || state === "STOPPED") return "";
    const shown = unwrapped(await mngr.capture(record.agentId, state === "DONE"), Object.values(secrets));
    return plainLines(shown).slice(-tailLines).join("\n");
  } catch {
    return "";
  }
}

/** A terminal breaks long lines, also in the middle of a secret. */
function unwrapped(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= 8)
    .map((secret) => secret.split("").map((char) => char.replace(/[\\^$.*+?()[\]{}|]/, "\\$&")))
    .reduce((each, chars) => each.replace(new RegExp(chars.join("\n?"), "g"), "***"), text);
}
