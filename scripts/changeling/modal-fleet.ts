import type { FiringApp } from "../../components/cron/modal/missed-fires.ts";
import { type RemoteApps, remoteApps } from "../../components/cron/modal/remote-apps.ts";
import type { RunsVolume, Timeouts } from "../../components/cron/modal/remote-runs.ts";
import { modalClient } from "../../components/modal/client.ts";
import { personEnvironment, personIdentity } from "../../components/modal/identity.ts";
import { runsVolumeName } from "../../components/modal/names.ts";
import { modalSite } from "../../components/modal/observe.ts";
import type { ModalToken } from "../../components/modal/token.ts";
import type { Modal, ModalSite } from "../../components/modal/types.ts";

/** A stack's changelings on Modal, as seen from any machine with the token. */
export interface ModalFleet extends RemoteApps {
  /** The short name, as used in its resources' names. */
  readonly stack: string;
  readonly client: Modal;
  readonly site: ModalSite;
  /** Undefined if nothing was ever recorded. */
  readonly volume: RunsVolume | undefined;
  readonly timeoutSeconds: Timeouts;
  /** The apps that are expected to fire. */
  readonly firing: readonly FiringApp[];
}

/** @throws ModalError within 20 s if Modal is not reachable */
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

/** What is known about a stack's changelings on Modal. */
export type ModalSide =
  /** Not needed: the user neither waits for the network nor sees a message about Modal. */
  | { readonly kind: "not_asked" }
  | { readonly kind: "reached"; readonly fleet: ModalFleet }
  /** Needed, but Modal did not answer. */
  | { readonly kind: "unreached"; readonly error: Error };
