import { setTimeout as sleep } from "node:timers/promises";
import type { Agent, SshAccess } from "../../mngr/client.ts";
import type { WebRecord } from "../record.ts";
import { isRunning } from "../web-drift.ts";
import type { ModalWeb } from "./modal-web.ts";
import { hostIdTag, hostNameTag, labelTag } from "./place.ts";

/** An agent with the machine that it is on. */
export type PlacedAgent = Agent & { readonly host: NonNullable<Agent["host"]> };

/** How long a machine may take to snapshot itself and end, and how often it is looked for. */
const patience = { seconds: 120, everySeconds: 2 };

/** The agent of a record; an update that was cut short may have left it on two machines. */
export function placedAgent(record: WebRecord, agents: readonly Agent[]): PlacedAgent | undefined {
  const own = placed(agents).filter(({ id }) => id === record.agentId);
  return own.find((agent) => addressOf(agent) === record.hostAddress) ?? own[0];
}

export function addressOf({ id, host }: PlacedAgent): string {
  return `${id}@${host.id}.modal`;
}

/** The agent that mngr shows at an address, now. */
export async function agentAt(
  address: string,
  { agents }: Pick<ModalWeb["mngr"], "agents">,
): Promise<PlacedAgent | undefined> {
  return placed(await agents()).find((agent) => addressOf(agent) === address);
}

function placed(agents: readonly Agent[]): PlacedAgent[] {
  return agents.flatMap((agent) => (agent.host === undefined ? [] : [{ ...agent, host: agent.host }]));
}

/** Undefined: its machine has ended, or this one has no key for it. */
export function sshOf(agent: PlacedAgent | undefined): SshAccess | undefined {
  return agent?.host.state === "RUNNING" ? (agent.host.ssh ?? undefined) : undefined;
}

export function isUp(agent: PlacedAgent | undefined): agent is PlacedAgent {
  return sshOf(agent) !== undefined && isRunning(agent);
}

/** By which the sandboxes of a web changeling are found without mngr. */
export function ownTags(name: string, { stack }: Pick<ModalWeb, "stack">): Record<string, string> {
  return {
    [labelTag("changeling")]: name,
    [labelTag("changelings_stack")]: stack,
    [labelTag("changeling_kind")]: "web",
  };
}

/** Starts it where it was, from its last snapshot when its machine has ended. @returns it as it is then */
export async function started(agent: PlacedAgent, { mngr }: ModalWeb): Promise<PlacedAgent> {
  const address = addressOf(agent);
  await mngr.start(address, { isRestarted: agent.state === "DONE" });
  await admitMachines(mngr, address);
  const again = await agentAt(address, mngr);
  if (again === undefined) throw new Error(`mngr started ${address}, but shows it no more`);
  return again;
}

/** A machine that was just started lets in nobody but who started it; see prepare.sh. */
export async function admitMachines(mngr: Pick<ModalWeb["mngr"], "exec">, address: string): Promise<void> {
  const keys = '"$MNGR_AGENT_STATE_DIR/changelings-keys"';
  await mngr.exec([address], `[ ! -s ${keys} ] || cat ${keys} >>~/.ssh/authorized_keys`);
}

/** Ends the machine as its watcher would: with a snapshot, from which it starts again. One that has ended is fine. */
export async function endMachine(agent: PlacedAgent, { client, environment, mngr, log }: ModalWeb): Promise<void> {
  const tags = { [hostIdTag]: agent.host.id };
  const isGone = async () => (await client.sandboxes(environment, tags)).length === 0;
  if (await isGone()) return;
  const address = addressOf(agent);
  // What an agent has to write down when it ends, it writes before the snapshot.
  await mngr.stop(address);
  const command = 'setsid "$MNGR_HOST_DIR/commands/shutdown.sh" STOPPED >/dev/null 2>&1 </dev/null & sleep 0.1';
  await mngr.exec([address], command);
  const until = performance.now() + patience.seconds * 1000;
  while (performance.now() < until) {
    await sleep(patience.everySeconds * 1000);
    if (await isGone()) return;
  }
  log(
    `warning: the machine ${agent.host.name} did not end within ${patience.seconds} s, and is ended without a snapshot`,
  );
  await client.endSandboxes(environment, tags);
}

/**
 * Destroys a machine, with what it was snapshotted to; volumes stay. One that is gone is fine.
 *
 * @param host its name
 * @param agents all that mngr shows
 */
export async function destroyMachine(host: string, web: ModalWeb, agents?: readonly Agent[]): Promise<void> {
  const { client, environment, mngr } = web;
  const shown = agents ?? (await mngr.agents());
  const snapshots = shown.flatMap((agent) => (agent.host?.name === host ? agent.host.snapshots : []));
  // mngr leaves one running that it can't reach.
  await client.endSandboxes(environment, { [hostNameTag]: host });
  await mngr.destroyHost(host);
  for (const { id } of snapshots) await client.deleteImage(id);
}
