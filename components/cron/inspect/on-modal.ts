import { asError } from "../../lib/as-error.ts";
import type { ModalObservation, StackOnModal } from "../../modal/modal-observation.ts";
import type { FiringApp } from "../modal/missed-fires.ts";
import type { RemoteApps } from "../modal/remote-apps.ts";
import type { RunsVolume, Timeouts } from "../modal/remote-runs.ts";

/** A stack's cron changelings on Modal. */
export interface CronsOnModal extends RemoteApps, StackOnModal {
  /** Undefined if nothing was ever recorded. */
  readonly volume: RunsVolume | undefined;
  readonly timeoutSeconds: Timeouts;
  /** The apps that are expected to fire. */
  readonly firing: readonly FiringApp[];
}

export type CronModalObservation = ModalObservation<CronsOnModal>;

/** Reads the stack's cron changelings, if Modal was reached. */
export async function cronObservation(side: ModalObservation): Promise<CronModalObservation> {
  if (side.kind !== "reached") return side;
  try {
    return { kind: "reached", fleet: await cronsOnModal(side.fleet) };
  } catch (error) {
    return { kind: "unreached", error: asError(error) };
  }
}

/** @throws ModalError if Modal is not reachable */
export async function cronsOnModal({ stack, client, observed }: StackOnModal): Promise<CronsOnModal> {
  const [{ remoteApps }, { runsVolumeName }] = await Promise.all([
    import("../modal/remote-apps.ts"),
    import("../../modal/names.ts"),
  ]);
  const found = await remoteApps(client, observed, stack);
  const volume = runsVolumeName(stack);
  return {
    ...found,
    stack,
    client,
    observed,
    volume:
      observed.environment !== undefined && observed.volumes.has(volume)
        ? { client, environment: observed.environment, volume }
        : undefined,
    firing: found.apps.map(({ spec, deployedAt }) => ({ ...spec, deployedAt })),
    timeoutSeconds: (name) => found.apps.find(({ spec }) => spec.name === name)?.spec.timeoutSeconds,
  };
}
