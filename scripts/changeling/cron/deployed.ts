import { type Deployed, type DeployedFleet, deployedWith } from "../../../components/cron/inspect/deployed.ts";
import type { CronModalObservation } from "../../../components/cron/inspect/on-modal.ts";
import type { Inspected } from "../context.ts";
import { noSuchChangeling } from "../kinds.ts";

/** Like `requireDeployed`, but also accepts changelings that can't fire, because they have runs too. */
export async function requireKnown(context: Inspected, modal: CronModalObservation, name: string): Promise<void> {
  const fleet = deployedWith(context, modal);
  if (!fleet.problems.some((problem) => problem.name === name)) await requireDeployed(context, fleet, name);
}

/** @throws with "did you mean" if no such changeling is deployed, or if the stack does not exist */
export async function requireDeployed(
  context: Inspected,
  { changelings, problems, modal }: DeployedFleet,
  name: string,
): Promise<Deployed> {
  const found = changelings.find((each) => each.name === name);
  if (found !== undefined) return found;
  const problem = problems.find((each) => each.name === name);
  if (problem !== undefined) throw new Error(`${name} does not fire: ${problem.problem}`);
  if (modal.kind === "unreached") throw new Error(`${name} is not on this machine, and ${modal.error.message}`);
  const names = [...changelings, ...problems].map((each) => each.name);
  throw await noSuchChangeling(context, name, names, modal);
}
