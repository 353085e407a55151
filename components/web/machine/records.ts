import { randomBytes } from "node:crypto";
import { isFree, newAgentId, type WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import type { MachineRecords, MachineWeb, VolumeNames } from "./machine-web.ts";

/** The record of a changeling, created if there is none. A record under its former name is moved to the new one. */
export async function recordFor(
  spec: WebSpec,
  former: string | undefined,
  { records, provider }: MachineWeb,
): Promise<WebRecord> {
  const own = await records.read(spec.name);
  const renamed = isFree(own) && former !== undefined ? await records.read(former) : undefined;
  const { removed, ...kept } = renamed ?? own ?? (await firstOf(spec, records));
  const record: WebRecord = {
    ...kept,
    version: 1,
    name: spec.name,
    agentName: spec.name,
    provider,
    mngrProfile: spec.mngrProfile,
    data: spec.data ?? kept.repo.replace(/_repo$/, "_data"),
  };
  await records.write(record);
  if (renamed !== undefined) await records.remove(renamed.name);
  return record;
}

async function firstOf({ name }: WebSpec, records: MachineRecords) {
  const { repo } = await records.volumesFor(name);
  return { agentId: newAgentId(), repo, removed: undefined };
}

/**
 * @param namesFor base name of the volumes
 * @param others every changeling with volumes: a renamed one keeps its volumes, and another may now have its former
 * name
 */
export function freeVolumes(
  name: string,
  namesFor: (name: string) => VolumeNames,
  others: readonly WebRecord[],
): VolumeNames {
  const usual = namesFor(name);
  const isTaken = others.some((other) => other.name !== name && [other.repo, other.data].includes(usual.repo));
  return isTaken ? namesFor(`${name}-${randomBytes(4).toString("hex")}`) : usual;
}

/** A new name for each machine, because mngr keeps the names of destroyed ones for a week. */
export function newHostName({ name }: WebSpec): string {
  return `${name}-${randomBytes(4).toString("hex")}`;
}
