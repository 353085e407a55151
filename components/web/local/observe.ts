import * as pulumi from "@pulumi/pulumi";
import { type Agent, MngrError } from "../../mngr/client.ts";
import { profileMngr } from "../../mngr/profile.ts";
import { webDrift } from "../agent/drift.ts";
import type { DeclaredWeb } from "../declared.ts";
import { type LocalWebs, type LocalWebsOptions, observedHere } from "../this-machine.ts";
import { serversHere } from "./servers.ts";

/**
 * Observes a stack's web changelings on this machine and their sources, once for all of them. Warns if something can't be
 * observed; it then shows no change.
 */
export function localWebs(changelings: readonly DeclaredWeb[], options: LocalWebsOptions = {}): Promise<LocalWebs> {
  return observedHere(changelings, options, {
    ...{ provider: "local", suffix: "agent", servers: serversHere },
    observe: async (profiles) => new Map((await Promise.all(profiles.map(agentsOf))).flat()),
    drift: (record, agents) => webDrift(record, agents),
  });
}

/** Empty if its mngr can't be read. */
async function agentsOf(profile: string | undefined): Promise<[string | undefined, readonly Agent[]][]> {
  try {
    return [[profile, (await profileMngr(profile, process.env).list()).agents]];
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    await pulumi.log.warn(
      `The state of the web changelings could not be read, so drift is not shown: ${error.message}`,
    );
    return [];
  }
}
