import { folderOfBackend } from "../../../components/host/stack-identity.ts";
import { fleetOf, requireValid } from "../../changeling/stack-fleet.ts";
import { requireDevStack } from "../../changeling/stack-selection.ts";
import { clearDeadLocks } from "../dead-locks.ts";
import { backendOf, type Finished, pulumi, type Stack } from "../stack.ts";
import { clearLock, endMark, lockOf, markJob } from "./dead-jobs.ts";
import { repairInterrupted } from "./interrupted.ts";
import { hasKey, isPipeline } from "./job-environment.ts";
import { refusals } from "./refusals.ts";

export interface ApplyOptions {
  readonly stack: Stack;
  /** The pipeline runs one such job per stack at a time, so any earlier job's lock belongs to a dead job. */
  readonly isExclusive: boolean;
}

/**
 * Applies the fleet, even after a killed job: removes its lock, resumes its operations, and reports resources that it
 * was creating and that are no longer declared.
 *
 * @returns the exit code of `pulumi up`
 * @throws before any change, if this job can't apply the fleet
 */
export async function apply({ stack, isExclusive }: ApplyOptions): Promise<number> {
  requireDevStack(stack);
  if (isPipeline() && !hasKey()) {
    throw new Error(
      "this job has no key of the stack: set PULUMI_CONFIG_PASSPHRASE (with PULUMI_BACKEND_URL and what opens it), or " +
        "PULUMI_ACCESS_TOKEN for Pulumi Cloud, among the pipeline's secrets",
    );
  }
  const refused = refusals(requireValid(await fleetOf(stack)));
  if (refused.length > 0) throw new Error(`this job can't apply the fleet:\n${refused.join("\n")}`);
  const backend = folderOfBackend(backendOf(stack));
  if (backend !== undefined) clearDeadLocks(backend);
  const ended = isExclusive ? await upAlone(stack) : await up(stack);
  if (ended.code === 0 && isInterrupted(ended)) await repairInterrupted(stack);
  return ended.code;
}

async function upAlone(stack: Stack): Promise<Finished> {
  const former = await markJob(stack);
  let left = former;
  try {
    let ended = await up(stack);
    const lock = lockOf(ended);
    if (lock !== undefined) {
      await clearLock(stack, lock, former);
      ended = await up(stack);
    }
    if (lockOf(ended) === undefined) left = [];
    return ended;
  } finally {
    await endMark(stack, left);
  }
}

function up(stack: Stack): Promise<Finished> {
  return pulumi(stack, ["up", "--yes", "--skip-preview", "--non-interactive"], { capture: true, echo: true });
}

function isInterrupted({ stdout, stderr }: Finished): boolean {
  return `${stdout}${stderr}`.includes("pending operations from previous deployment");
}
