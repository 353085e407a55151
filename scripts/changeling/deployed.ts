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
  return deployedWith(context, await modalSide(context, name));
}

/** The same, where Modal was already asked. */
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

/** As `requireDeployed`, for what one that can't fire has too: its runs. */
export async function requireKnown(place: Place, modal: ModalSide, name: string): Promise<void> {
  const fleet = deployedWith(place, modal);
  if (!fleet.faults.some((fault) => fault.name === name)) await requireDeployed(place, fleet, name);
}

/** @throws with "did you mean" when no such changeling is deployed, or no such stack is there */
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
