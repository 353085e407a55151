import type { RolloutOptions, RolloutResult } from "../cluster/cluster.ts";
import type { CodeStore } from "../code-store/code-store.ts";
import type { Version } from "../domain.ts";
import type { Events } from "../events.ts";
import type { Check } from "../hot-reload/checking.ts";
import type { HostLimits } from "../hot-reload/version-host.ts";
import type { Store } from "../store/store.ts";
import { NotFound } from "./pipeline.ts";

/** The parts of the service that the pipeline uses. */
export interface PipelineParts {
  readonly node: string;
  readonly store: Store;
  readonly codeStore: Pick<CodeStore, "active" | "lastGood" | "prune">;
  readonly check: Check;
  readonly events: Events;
  readonly limits: HostLimits;
  readonly testMilliseconds: number;
  readonly probationSeconds: number;
  /** How many versions are kept. */
  readonly keepVersions: number;
  /** Whether this node may activate changes without a person, which depends on its mode and fence. */
  readonly isAutomatic: () => boolean;
  readonly firstVersion: () => Promise<Version>;
  rollOut(version: string, former: string, options: RolloutOptions): Promise<RolloutResult>;
}

/** How many recordings are replayed with a change. */
export const maxRecordings = 200;

export type VersionSource = Pick<PipelineParts, "store" | "firstVersion">;

/** @returns the version that the fleet runs. @throws NotFound if the store has lost it */
export async function activeVersion(from: VersionSource): Promise<Version> {
  const id = (await from.store.activeVersion()) ?? "v0";
  const version = await versionOf(id, from);
  if (version === undefined) throw new NotFound(`the active version ${id} is missing in the store`);
  return version;
}

export async function versionOf(id: string, { store, firstVersion }: VersionSource): Promise<Version | undefined> {
  return id === "v0" ? await firstVersion() : await store.version(id);
}
