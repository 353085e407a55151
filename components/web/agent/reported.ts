import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import type { Servers } from "../local/await-servers.ts";

/** What the script of an agent's Command has said. */
export interface Reported {
  /** mngr's id of the agent; undefined when there was none, and it could not be made. */
  readonly agentId: pulumi.Output<string | undefined>;
  /** Empty while it is stopped. */
  readonly servers: pulumi.Output<Servers>;
}

/** The one line that the scripts print. */
const resultLine = z.object({ agentId: z.string(), servers: z._default(z.record(z.string(), z.string()), {}) });

/**
 * @param stdout of the Command: kept as a secret, as all that scripts print, but where agents listen is none
 * @param agentId as it was known before
 * @param listening where its servers listen when the script has failed: what ran before may run again
 */
export function reported(
  stdout: pulumi.Output<string>,
  agentId: string | undefined,
  listening: () => Promise<Servers>,
): Reported {
  // One that failed has said nothing, and the engine has told why: its outputs are no second failure.
  const result = pulumi
    .unsecret(pulumi.recover(stdout, () => ""))
    .apply((line: string | undefined) => line && resultLine.parse(JSON.parse(line)));
  return {
    agentId: result.apply((said) => (said ? said.agentId : agentId)),
    servers: result.apply(async (said): Promise<Servers> => (said ? said.servers : await listening())),
  };
}
