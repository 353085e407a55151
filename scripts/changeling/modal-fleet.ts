import type { FiringApp } from "../../components/cron/modal/missed-fires.ts";
import { type RemoteApps, remoteApps } from "../../components/cron/modal/remote-apps.ts";
import type { RunsVolume, Timeouts } from "../../components/cron/modal/remote-runs.ts";
import { modalClient } from "../../components/modal/client.ts";
import { personEnvironment, personIdentity } from "../../components/modal/identity.ts";
import { runsVolumeName } from "../../components/modal/names.ts";
import { modalSite } from "../../components/modal/observe.ts";
import type { ModalToken } from "../../components/modal/token.ts";
import type { Modal, ModalSite } from "../../components/modal/types.ts";

/** A stack's changelings on Modal, as any machine with the token sees them. */
export interface ModalFleet extends RemoteApps {
  /** The short name, as in the names of its things. */
  readonly stack: string;
  readonly client: Modal;
  readonly site: ModalSite;
  /** undefined: nothing has ever been recorded. */
  readonly volume: RunsVolume | undefined;
  readonly timeoutSeconds: Timeouts;
  /** What is expected to fire. */
  readonly firing: readonly FiringApp[];
}

/** @throws ModalError within 20 s when Modal can't be asked */
export async function openModalFleet(stack: string, token: ModalToken | undefined): Promise<ModalFleet> {
  const client = modalClient({ token, env: process.env });
  const site = await modalSite({ stack, client, localEnvironment: personEnvironment(personIdentity(process.env)) });
  const found = await remoteApps(client, site, stack);
  const volume = runsVolumeName(stack);
  return {
    ...found,
    stack,
    client,
    site,
    volume:
      site.environment !== undefined && site.volumes.has(volume)
        ? { client, environment: site.environment, volume }
        : undefined,
    firing: found.apps.map(({ spec, deployedAt }) => ({ ...spec, deployedAt })),
    timeoutSeconds: (name) => found.apps.find(({ spec }) => spec.name === name)?.spec.timeoutSeconds,
  };
}

/** What is known of a stack's changelings on Modal. */
export type ModalSide =
  /** There is no reason to ask: nobody waits for the network, nor reads a word about Modal. */
  | { readonly kind: "not_asked" }
  | { readonly kind: "reached"; readonly fleet: ModalFleet }
  /** There is a reason, and no answer. */
  | { readonly kind: "unreached"; readonly error: Error };
