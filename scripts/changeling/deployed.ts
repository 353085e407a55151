import { closest, distance } from "fastest-levenshtein";
import { installedJobs } from "../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../components/cron/local/job.ts";
import type { AppSpec } from "../../components/cron/modal/spec.ts";
import type { CronProvider } from "../../components/fleet/index.ts";
import { looksAt, type Place } from "./context.ts";
import { type ModalSide, modalSide } from "./modal-side.ts";

/** A changeling as it is deployed, whichever provider it is on. */
export type Deployed = Pick<JobSpec & AppSpec, "name" | "schedule" | "timezone" | "enabled"> & {
  readonly provider: CronProvider;
  /** Why it does not fire although nobody paused it, in words. */
  readonly problem: string | undefined;
};

export interface DeployedFleet {
  /** In the order of their names. */
  readonly changelings: readonly Deployed[];
  /** What stands where a changeling should, and is none: its name and what is wrong. */
  readonly faults: readonly { readonly name: string; readonly problem: string }[];
  readonly modal: ModalSide;
}

/** What is deployed of a stack on both providers. @param name all that is wanted to be known is about this one */
export async function deployedFleet(context: Place, name?: string): Promise<DeployedFleet> {
  const local = looksAt(context, "local") ? installedJobs(context.paths) : { jobs: [], faults: [] };
  const modal = await modalSide(context, name);
  const remote = modal.kind === "reached" ? modal.fleet : { apps: [], faults: [] };
  const changelings = [
    ...local.jobs.map((job) => deployed(job, "local")),
    ...remote.apps.map(({ spec, problem }) => deployed(spec, "modal", problem)),
  ];
  return {
    changelings: changelings.sort((a, b) => (a.name < b.name ? -1 : 1)),
    faults: [...local.faults, ...remote.faults],
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

/** @throws with "did you mean" when no such changeling is deployed */
export function requireDeployed({ changelings, faults, modal }: DeployedFleet, name: string): Deployed {
  const found = changelings.find((each) => each.name === name);
  if (found !== undefined) return found;
  const fault = faults.find((each) => each.name === name);
  if (fault !== undefined) throw new Error(`${name} does not fire: ${fault.problem}`);
  if (modal.kind === "unreached") throw new Error(`${name} is not on this machine, and ${modal.error.message}`);
  const names = changelings.map((each) => each.name);
  if (names.length === 0)
    throw new Error("no changeling is deployed on this stack; apply one with: npm run pulumi -- up");
  const nearest = closest(name, names);
  const hint = distance(name, nearest) <= 3 ? `did you mean ${nearest}?` : `deployed are: ${names.join(", ")}`;
  throw new Error(`no changeling "${name}" is deployed on this stack; ${hint}`);
}
