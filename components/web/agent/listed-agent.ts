import type { Agent } from "../../mngr/client.ts";
import type { WebRecord } from "./record.ts";

type Placed = Pick<Agent, "id" | "host">;

/**
 * mngr's entry for the agent of a record. The id alone does not identify it: mngr reads a machine's agents from files
 * on that machine, and an agent that is root there can write any id into them. mngr itself knows which machine it is.
 */
export function listedAgent<Listed extends Placed>(
  { agentId, provider, hostAddress, host: machine }: WebRecord,
  agents: readonly Listed[],
): Listed | undefined {
  const own = agents.filter(({ id, host }) => id === agentId && (host?.provider_name ?? provider) === provider);
  // This machine's agents are all on one host.
  if (provider === "local") return own[0];
  const addressed = own.find(({ id, host }) => `${id}@${host?.id}.${host?.provider_name}` === hostAddress);
  // An interrupted update may not have recorded a new machine's address, but its name was recorded before.
  return addressed ?? own.find(({ host }) => machine !== undefined && host?.name === machine);
}
