import { type InspectedStack, includesProvider } from "../../stack/inspection.ts";
import { installedJobs } from "../local/installed-files.ts";
import type { JobSpec } from "../local/job.ts";
import type { AppSpec } from "../modal/spec.ts";
import type { CronProvider } from "../options.ts";
import { type CronModalObservation, cronObservation } from "./on-modal.ts";

/** A deployed changeling of either provider. */
export type Deployed = Pick<JobSpec & AppSpec, "name" | "schedule" | "timezone" | "enabled"> & {
  readonly provider: CronProvider;
  /** Why it does not fire although it is not paused, in words. */
  readonly problem: string | undefined;
};

export interface DeployedFleet {
  /** Sorted by name. */
  readonly changelings: readonly Deployed[];
  /** Deployed changelings that can't be read: the name and the problem. */
  readonly problems: readonly { readonly name: string; readonly problem: string }[];
  readonly modal: CronModalObservation;
}

/** A stack's deployed cron changelings on both providers. @param name the only changeling of interest */
export async function deployedFleet(stack: InspectedStack, name?: string): Promise<DeployedFleet> {
  return deployedWith(stack, await cronObservation(await stack.modal(name)));
}

/** The same, if Modal was already queried. */
export function deployedWith(stack: InspectedStack, modal: CronModalObservation): DeployedFleet {
  const local = includesProvider(stack, "local") ? installedJobs(stack.paths) : { jobs: [], problems: [] };
  const remote = modal.kind === "reached" ? modal.fleet : { apps: [], problems: [] };
  const changelings = [
    ...local.jobs.map((job) => deployed(job, "local")),
    ...remote.apps.map(({ spec, problem }) => deployed(spec, "modal", problem)),
  ];
  return {
    changelings: changelings.sort((a, b) => (a.name < b.name ? -1 : 1)),
    problems: [...local.problems, ...remote.problems],
    modal,
  };
}

function deployed(
  { name, schedule, timezone, enabled }: JobSpec | AppSpec,
  provider: CronProvider,
  problem?: string,
): Deployed {
  return { name, provider, schedule, timezone, enabled, problem };
}
