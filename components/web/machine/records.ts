import { randomBytes } from "node:crypto";
import { newAgentId, type WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";

export interface VolumeNames {
  readonly repo: string;
  readonly data: string;
}

/**
 * The initial record of a changeling. It does not use agents' labels, because these are in files on the agents' machines.
 *
 * @param namesFor base name of the volumes
 * @param others every changeling with volumes. A renamed one keeps its volumes, and another may now have its old name
 */
export function firstRecord(
  name: string,
  namesFor: (name: string) => VolumeNames,
  others: readonly WebRecord[],
): Pick<WebRecord, "agentId" | "repo"> {
  return { agentId: newAgentId(), repo: freeVolumes(name, namesFor, others).repo };
}

export function freeVolumes(
  name: string,
  namesFor: (name: string) => VolumeNames,
  others: readonly WebRecord[],
): VolumeNames {
  const usual = namesFor(name);
  const isTaken = others.some((other) => other.name !== name && [other.repo, other.data].includes(usual.repo));
  return isTaken ? namesFor(`${name}-${randomBytes(4).toString("hex")}`) : usual;
}

export function dataVolumeBeside(repo: string): string {
  return repo.replace(/_repo$/, "_data");
}

/** A new name for each machine, because mngr keeps the names of destroyed ones for a week. */
export function newHostName({ name }: WebSpec): string {
  return `${name}-${randomBytes(4).toString("hex")}`;
}
