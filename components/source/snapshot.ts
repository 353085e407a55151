import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { mngrVersion } from "../mngr/client.ts";
import type { ModalSite } from "../modal/types.ts";

/** What a snapshot is of: a machine with these options, and in it a clone of this branch. */
export interface SnapshotDeclaration {
  /** http(s), without credentials. */
  readonly repo: string;
  readonly branch: string;
  readonly template: string | undefined;
  readonly buildArgs: readonly string[];
}

/** `snapshots/<label>.json` on the stack's home volume. */
export const snapshotRecord = z.object({
  imageId: z.string(),
  /** ISO 8601. */
  createdAt: z.string(),
  repo: z.string(),
  branch: z.string(),
});

export type SnapshotRecord = z.infer<typeof snapshotRecord>;

/** Where its record stands on the stack's home volume. */
export function snapshotFile(label: string): string {
  return `snapshots/${label}.json`;
}

/**
 * What a snapshot is found again by: its declaration determines it, no earlier output does. Another mngr lays out its
 * machines in another way, so its version is part of it.
 *
 * @returns 16 hexadecimal digits
 */
export function snapshotLabel({ repo, branch, template, buildArgs }: SnapshotDeclaration): string {
  const declaration = JSON.stringify([repo, branch, template ?? null, buildArgs, mngrVersion]);
  return createHash("sha256").update(declaration).digest("hex").slice(0, 16);
}

/** What one snapshot is needed for: several changelings may need the same, and renew it at different ages. */
export interface SnapshotNeed extends SnapshotDeclaration {
  /** After how many seconds it is renewed; undefined: never. */
  readonly maxAgeSeconds: number | undefined;
}

/** The needs by their labels, each once; the shortest age that somebody wants counts. */
export function snapshotNeeds(needs: Iterable<SnapshotNeed>): ReadonlyMap<string, SnapshotNeed> {
  const all = new Map<string, SnapshotNeed>();
  for (const need of needs) {
    const label = snapshotLabel(need);
    const ages = [all.get(label)?.maxAgeSeconds, need.maxAgeSeconds].filter((age) => age !== undefined);
    all.set(label, { ...need, maxAgeSeconds: ages.length === 0 ? undefined : Math.min(...ages) });
  }
  return all;
}

/**
 * How the live snapshot differs from what is declared, in words; undefined when it does not, or nobody knows. Age is
 * told here alone: what a Command is given must not move with the clock.
 */
export function snapshotDrift(
  label: string,
  maxAgeSeconds: number | undefined,
  site: ModalSite | undefined,
  now: Date = new Date(),
): string | undefined {
  if (site === undefined) return undefined;
  const snapshot = site.snapshots.get(label);
  if (snapshot === undefined) return "its snapshot is missing";
  if (!snapshot.hasImage) return "the image of its snapshot was deleted";
  const age = now.getTime() / 1000 - snapshot.recordedAt;
  if (maxAgeSeconds === undefined || age < maxAgeSeconds) return undefined;
  return `the snapshot is ${inWords(age)} old, older than ${durationText(maxAgeSeconds)}`;
}

/** Whether a snapshot need not be renewed yet. */
export function isYoung(
  { createdAt }: SnapshotRecord,
  maxAgeSeconds: number | undefined,
  now: Date = new Date(),
): boolean {
  return maxAgeSeconds === undefined || now.getTime() - Date.parse(createdAt) < maxAgeSeconds * 1000;
}

const units = [
  ["d", "day", 86_400],
  ["h", "hour", 3600],
  ["m", "minute", 60],
  ["s", "second", 1],
] as const;

/** Seconds as the fleet file has them: `7d`. */
export function durationText(seconds: number): string {
  const [short, , length] = units.find(([, , length]) => seconds % length === 0) ?? units[3];
  return `${seconds / length}${short}`;
}

/** The whole of the largest unit: `8 days`. */
function inWords(seconds: number): string {
  const [, long, length] = units.find(([, , length]) => seconds >= length) ?? units[3];
  const count = Math.floor(seconds / length);
  return `${count} ${long}${count === 1 ? "" : "s"}`;
}
