import { deployedFleet } from "../../../components/cron/inspect/deployed.ts";
import type { CronsOnModal } from "../../../components/cron/inspect/on-modal.ts";
import { waitForRun } from "../../../components/cron/local/records.ts";
import { requestRun } from "../../../components/cron/local/requests.ts";
import type { Run } from "../../../components/cron/run-records.ts";
import { changelingCommand, upCommand } from "../../../components/lib/own-commands.ts";
import type { Inspected } from "../context.ts";
import { refuseOthers } from "../kinds.ts";
import { withProgress } from "../terminal/progress.ts";
import { requireDeployed } from "./deployed.ts";

export type Fired =
  | { readonly skipped: string }
  | {
      readonly runId: string;
      /** True if it ended before an agent was created. */
      readonly isOver: boolean;
      /** Waits for its end and shows progress. */
      end(): Promise<Run>;
    };

/**
 * Fires a changeling now, wherever it is deployed, through the same path as its schedule.
 * @throws if no such changeling is deployed, or if it can't be fired
 */
export async function fire(context: Inspected, name: string): Promise<Fired> {
  refuseOthers(context, name, "run");
  const fleet = await deployedFleet(context, name);
  const { provider, problem } = await requireDeployed(context, fleet, name);
  if (problem !== undefined) throw new Error(`${name} can't be fired: ${problem}; repair it with: ${upCommand()}`);
  if (provider === "modal" && fleet.modal.kind === "reached") return fireOnModal(fleet.modal.fleet, name);
  const fired = await requestRun(context.paths, name);
  if ("skipped" in fired) return fired;
  const { runId } = fired;
  const end = () =>
    withProgress(following(name, runId, (onProgress) => waitForRun(context.paths, name, runId, onProgress)));
  return { runId, isOver: false, end };
}

async function fireOnModal(fleet: CronsOnModal, name: string): Promise<Fired> {
  const { fireRemote, followRemote } = await import("../../../components/cron/modal/remote-fire.ts");
  const { spec } = fleet.apps.find((each) => each.spec.name === name) ?? {};
  const { volume } = fleet;
  if (spec === undefined || volume === undefined) {
    throw new Error(`${name} can't be fired: the stack has no volume for its records; repair it with: ${upCommand()}`);
  }
  const fired = await withProgress({
    what: () => `${name} is being fired`,
    afterwards: `${name} is fired anyway; see: ${changelingCommand()} runs ${name}`,
    end: fireRemote(fleet.client, spec),
  });
  if ("skipped" in fired) return fired;
  const run = { changeling: name, id: fired.runId };
  const end = () =>
    withProgress(following(name, run.id, (onProgress) => followRemote(volume, run, spec.timeoutSeconds, onProgress)));
  return { runId: run.id, isOver: "failed" in fired, end };
}

function following(name: string, runId: string, follow: (onProgress: (run: Run) => void) => Promise<Run>) {
  let isMade = false;
  return {
    what: () => (isMade ? `${runId} is running` : `${runId} is starting`),
    afterwards: `${runId} keeps running; see how it ends: ${changelingCommand()} logs ${name}`,
    end: follow(({ agentId }) => {
      isMade = agentId !== undefined;
    }),
  };
}
