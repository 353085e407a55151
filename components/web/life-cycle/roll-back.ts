import type { WebRecord } from "../agent/record.ts";
import { digestOfSpec, type WebSpec } from "../agent/spec.ts";
import type { Merged } from "../repo/merge.ts";
import type { Deployed, WebRecords, WebUpdate } from "./agent-host.ts";

/** A failed update, and how its host undoes each part of it. */
export interface FailedUpdate {
  readonly update: WebUpdate;
  /** The merge that the update made. */
  readonly merged: Merged;
  readonly records: WebRecords;
  /** Whether the same version can start now, because the machine's own files were restored. */
  readonly isRestored: boolean;
  /** Undoes the merge. @returns false if the agent has committed on top of it, or changed its files */
  undoMerge(): Promise<boolean>;
  /** Ends what the update started where nothing ran before. @returns what is left */
  end(): Promise<string>;
  start(before: WebSpec, record: WebRecord): Promise<Deployed>;
  /** How to see the agent's commits, as a suffix for the message. */
  readonly hint: string;
}

/**
 * Rolls back a failed update to the previous version. The agent's commits since then are kept.
 *
 * @returns what runs now
 */
export async function rolledBack(failed: FailedUpdate): Promise<string> {
  const { update, merged, records, hint } = failed;
  const { applied: before, merged: _done, ...rest } = update.record;
  const isUndone = await failed.undoMerge();
  if (before?.enabled !== true) {
    const left = await failed.end();
    await records.write(before === undefined ? rest : { ...rest, applied: before });
    return left;
  }
  const isSame = merged.before === merged.after && digestOfSpec(before) === digestOfSpec(update.spec);
  if (isSame && !failed.isRestored) return "the previous version is the same";
  const kept = { ...rest, data: before.data ?? records.dataBeside(rest.repo) };
  const { servers, ...place } = await failed.start(before, kept);
  await records.write({ ...kept, ...place, applied: before });
  if (isUndone) return "the previous version runs again";
  return `the previous version runs again, but with the new code: the agent has committed on top of it, or changed its files${hint}`;
}
