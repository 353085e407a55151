import type { Agent, SshAccess } from "../../mngr/client.ts";
import { isRunning } from "../agent/drift.ts";
import { failedStart } from "../agent/failed-start.ts";
import type { PlacedAgent } from "../life-cycle/agent-host.ts";
import type { MachineUpdate, MachineWeb } from "./machine-web.ts";

export function addressOf({ id, host }: PlacedAgent): string {
  return `${id}@${host.id}.${host.provider_name}`;
}

/** The agent that mngr currently lists at an address. */
export async function agentAt(
  address: string,
  { agents }: Pick<MachineWeb["mngr"], "agents">,
): Promise<PlacedAgent | undefined> {
  return placed(await agents()).find((agent) => addressOf(agent) === address);
}

/** Agents with their hosts, which mngr lists for all agents on machines. */
export function placed(agents: readonly Agent[]): PlacedAgent[] {
  return agents.flatMap((agent) => (agent.host === undefined ? [] : [{ ...agent, host: agent.host }]));
}

/** undefined if its machine has ended, or this machine has no key for it. */
export function sshOf(agent: PlacedAgent | undefined): SshAccess | undefined {
  return agent?.host.state === "RUNNING" ? (agent.host.ssh ?? undefined) : undefined;
}

export function isUp(agent: PlacedAgent | undefined): agent is PlacedAgent {
  return sshOf(agent) !== undefined && isRunning(agent);
}

/**
 * Starts an agent in place, from the last snapshot if its machine is gone.
 * @returns the agent as it is afterwards
 */
export async function started(agent: PlacedAgent, { mngr }: MachineWeb): Promise<PlacedAgent> {
  const address = addressOf(agent);
  await mngr.start(address, { isRestarted: agent.state === "DONE" });
  const again = await agentAt(address, mngr);
  if (again === undefined) throw new Error(`mngr started ${address}, but no longer lists it`);
  return again;
}

/**
 * Destroys a machine and its snapshots, but not its volumes. Succeeds if it is gone.
 *
 * @param host its name
 * @param agents all agents that mngr lists
 */
export async function destroyMachine(
  host: string,
  { machines, mngr }: MachineWeb,
  agents?: readonly Agent[],
): Promise<void> {
  const shown = agents ?? (await mngr.agents());
  const snapshots = shown.flatMap((agent) => (agent.host?.name === host ? agent.host.snapshots : []));
  await machines.destroy(host);
  for (const { id } of snapshots) await machines.deleteSnapshot(id);
}

export interface FailedStartOnMachine extends Pick<MachineUpdate, "spec" | "secrets" | "web"> {
  /** Address of the agent that did not start; undefined if there is none. */
  readonly address: string | undefined;
}

/** @param rollBack rolls back, and returns what runs now */
export function failure(
  error: unknown,
  { spec, secrets, web, address }: FailedStartOnMachine,
  rollBack: () => Promise<string>,
): Promise<Error> {
  return failedStart(error, { name: spec.name, secrets, shown: () => shownAt(address, web), rollBack });
}

async function shownAt(address: string | undefined, { mngr }: MachineUpdate["web"]): Promise<string | undefined> {
  const agent = address === undefined ? undefined : await agentAt(address, mngr);
  if (address === undefined || agent === undefined || agent.state === "STOPPED") return undefined;
  return await mngr.capture(address, agent.state === "DONE");
}

/**
 * Deletes the snapshots from before a successful update, because a later one replaces them. A snapshot that can't be
 * deleted now is removed with the machine.
 *
 * @param agent as mngr listed it before the update
 */
export async function pruneSnapshots(agent: PlacedAgent, { machines, mngr, log }: MachineWeb): Promise<void> {
  try {
    for (const { id } of agent.host.snapshots) {
      await mngr.forgetSnapshot(addressOf(agent), id);
      await machines.deleteSnapshot(id);
    }
  } catch (error) {
    log(`warning: an old snapshot of ${agent.name} is kept: ${error instanceof Error ? error.message : error}`);
  }
}
