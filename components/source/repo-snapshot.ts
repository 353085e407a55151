import type * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../command.ts";
import { slugOf } from "../git/repo-name.ts";
import type { ObservedModal } from "../modal/types.ts";
import type { ModalHome } from "../stack/modal-home.ts";
import { homeEnvironment } from "../stack/modal-home-environment.ts";
import { perRun } from "../stack/per-run.ts";
import { type SnapshotNeed, snapshotDrift, snapshotLabel } from "./snapshot.ts";
import { declaredSnapshotEnvironment } from "./snapshot-environment.ts";
import { gitTokenEnvironment } from "./tarball-environment.ts";

export interface RepoSnapshotArgs {
  /** From `snapshotNeeds`, so that the shortest maximum age applies if several changelings need the same snapshot. */
  readonly need: SnapshotNeed;
  readonly stack: string;
  readonly home: ModalHome;
  /** undefined if Modal could not be reached, so no drift is known. */
  readonly observed: ObservedModal | undefined;
  readonly mngrProfile?: string | undefined;
  /** GITHUB_TOKEN, for cloning. */
  readonly gitToken?: pulumi.Input<string> | undefined;
  /** Secret variables with the Modal token of the stack's config. */
  readonly tokenVariables?: Readonly<Record<string, pulumi.Input<string>>>;
}

export interface RepoSnapshot {
  /** Identifies the snapshot's record on the stack's home volume. */
  readonly label: string;
  readonly command: pulumi.Resource;
}

const snapshots = perRun(() => new Map<string, RepoSnapshot>());

/**
 * The snapshot of a machine with a clone of a branch, shared by all changelings that need it. Its name depends on the
 * declaration, so another declaration is another snapshot, and the old one is removed once nothing starts from it.
 */
export function repoSnapshot({ need, stack, home, observed, ...args }: RepoSnapshotArgs): RepoSnapshot {
  const label = snapshotLabel(need);
  const made = snapshots().get(label);
  if (made !== undefined) return made;
  const { repo, maxAgeSeconds } = need;
  const { environment: modalEnvironment, userId, prefix } = home;
  const environment = {
    ...declaredSnapshotEnvironment.encode({ ...need, stack, mngrProfile: args.mngrProfile }),
    ...homeEnvironment.named({ environment: modalEnvironment, userId, prefix }),
  };
  const secretEnvironment = {
    ...args.tokenVariables,
    ...(args.gitToken === undefined ? {} : gitTokenEnvironment.named({ token: args.gitToken })),
  };
  const drift = snapshotDrift(label, maxAgeSeconds, observed);
  const name = `snapshot-${slugOf(repo)}-${label.slice(0, 6)}`;
  const opts = { dependsOn: [home] };
  const command = scriptCommand(name, { command: "repo-snapshot", environment, secretEnvironment, drift }, opts);
  const snapshot = { label, command };
  snapshots().set(label, snapshot);
  return snapshot;
}
