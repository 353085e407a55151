import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { mngrVersion } from "../mngr/client.ts";
import type { ObservedModal } from "../modal/types.ts";

/** The content of a snapshot: a machine with these options, and on it a clone of this branch. */
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

/** The path of its record on the stack's home volume. */
export function snapshotFile(label: string): string {
  return `snapshots/${label}.json`;
}

/**
 * Identifies a snapshot. It depends on the declaration alone, not on any earlier output. Another mngr lays out its
 * machines differently, so mngr's version is part of it.
 *
 * @returns 16 hexadecimal digits
 */
export function snapshotLabel({ repo, branch, template, buildArgs }: SnapshotDeclaration): string {
  const declaration = JSON.stringify([repo, branch, template ?? null, buildArgs, mngrVersion]);
  return createHash("sha256").update(declaration).digest("hex").slice(0, 16);
}

/** A changeling's need of a snapshot. Several changelings may need the same one with different maximum ages. */
export interface SnapshotNeed extends SnapshotDeclaration {
  /** The age in seconds at which it is renewed; undefined: never. */
  readonly maxAgeSeconds: number | undefined;
}

/** The needs by label, without duplicates. The shortest maximum age applies. */
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
 * How the live snapshot differs from its declaration, as text; undefined if it does not, or that is unknown. Its age is
 * checked only here, because a Command's inputs must not depend on the clock.
 */
export function snapshotDrift(
  label: string,
  maxAgeSeconds: number | undefined,
  observed: ObservedModal | undefined,
  now: Date = new Date(),
): string | undefined {
  if (observed === undefined) return undefined;
  const snapshot = observed.snapshots.get(label);
  if (snapshot === undefined) return "its snapshot is missing";
  if (!snapshot.hasImage) return "the image of its snapshot was deleted";
  const age = now.getTime() / 1000 - snapshot.recordedAt;
  if (maxAgeSeconds === undefined || age < maxAgeSeconds) return undefined;
  return `the snapshot is ${inWords(age)} old, older than ${durationText(maxAgeSeconds)}`;
}

/** Whether a snapshot is too new to be renewed. */
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

/** Formats seconds as in the fleet file: `7d`. */
export function durationText(seconds: number): string {
  const [short, , length] = units.find(([, , length]) => seconds % length === 0) ?? units[3];
  return `${seconds / length}${short}`;
}

/** Formats seconds in whole units of the largest fitting one: `8 days`. */
function inWords(seconds: number): string {
  const [, long, length] = units.find(([, , length]) => seconds >= length) ?? units[3];
  const count = Math.floor(seconds / length);
  return `${count} ${long}${count === 1 ? "" : "s"}`;
}
