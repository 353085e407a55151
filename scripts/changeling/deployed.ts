import { installedJobs } from "../../components/cron/local/installed-files.ts";
import type { JobSpec } from "../../components/cron/local/job.ts";
import type { AppSpec } from "../../components/cron/modal/spec.ts";
import type { CronProvider } from "../../components/cron/options.ts";
import { upCommand } from "../../components/lib/own-commands.ts";
import { looksAt, type Place } from "./context.ts";
import { notDeployedText } from "./kinds.ts";
import { requireStack } from "./known-stack.ts";
import type { ModalSide } from "./modal-fleet.ts";
import { modalSide } from "./modal-side.ts";
import { deployedWeb } from "./web-side.ts";

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
  readonly faults: readonly { readonly name: string; readonly problem: string }[];
  readonly modal: ModalSide;
}

/** A stack's deployed changelings on both providers. @param name the only changeling of interest */
export async function deployedFleet(context: Place, name?: string): Promise<DeployedFleet> {
  return deployedWith(context, await modalSide(context, name));
}

/** The same, if Modal was already queried. */
export function deployedWith(context: Place, modal: ModalSide): DeployedFleet {
  const local = looksAt(context, "local") ? installedJobs(context.paths) : { jobs: [], faults: [] };
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

/** Like `requireDeployed`, but also accepts changelings that can't fire, because they have runs too. */
export async function requireKnown(place: Place, modal: ModalSide, name: string): Promise<void> {
  const fleet = deployedWith(place, modal);
  if (!fleet.faults.some((fault) => fault.name === name)) await requireDeployed(place, fleet, name);
}

/** @throws with "did you mean" if no such changeling is deployed, or if the stack does not exist */
export async function requireDeployed(
  place: Place,
  { changelings, faults, modal }: DeployedFleet,
  name: string,
): Promise<Deployed> {
  const found = changelings.find((each) => each.name === name);
  if (found !== undefined) return found;
  const fault = faults.find((each) => each.name === name);
  if (fault !== undefined) throw new Error(`${name} does not fire: ${fault.problem}`);
  if (modal.kind === "unreached") throw new Error(`${name} is not on this machine, and ${modal.error.message}`);
  const names = [...changelings, ...faults, ...deployedWeb(place)].map((each) => each.name);
  if (names.length === 0) {
    await requireStack(place, modal);
    throw new Error(`no changeling is deployed on this stack; apply one with: ${upCommand()}`);
  }
  throw new Error(notDeployedText("changeling", name, names));
}
