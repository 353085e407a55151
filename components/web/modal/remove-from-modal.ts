import type { Agent } from "../../mngr/client.ts";
import { exclusively, tellForwardingServer } from "../local/web-agents.ts";
import { destroyMachine, ownTags } from "./machines.ts";
import type { ModalWeb } from "./modal-web.ts";
import { hostNameTag } from "./place.ts";
import { forgetRecord, saveRemoved, sharedRecord } from "./records.ts";

export interface RemovedFromModal {
  readonly agentId?: string;
  /** The volumes that stay. */
  readonly repo?: string;
  readonly data?: string;
}

/**
 * Destroys the agent of a changeling that is no longer declared, with its machine. Its volumes stay, and are its own again
 * when it is declared again, unless they are to go too.
 *
 * @throws when it can't be destroyed; everything stays then
 */
export function removeFromModal(
  { name, destroyData }: { name: string; destroyData: boolean },
  web: ModalWeb,
): Promise<RemovedFromModal> {
  const { client, environment, stack, log } = web;
  return exclusively(web, name, async () => {
    // Somebody removed all of it at once.
    if (!(await client.environments()).includes(environment)) return {};
    const record = await sharedRecord(name, web);
    const agents = await web.mngr.agents();
    const known = record?.modal?.host;
    for (const host of await machinesOf(name, known, agents, web)) await destroyMachine(host, web, agents);
    await tellForwardingServer(web);
    if (record === undefined) return {};
    const { agentId, repo, data } = record;
    if (destroyData) {
      for (const volume of [data, repo]) await client.deleteVolume(volume, environment);
      await forgetRecord(name, web);
      log(`${name} is removed, with its volumes`);
      return { agentId };
    }
    const { hostAddress: _gone, ...kept } = record;
    await saveRemoved({ ...kept, modal: { stack, environment } }, web);
    log(`${name} is removed; kept on Modal, in the environment ${environment}: the volumes ${data} and ${repo}`);
    return { agentId, repo, data };
  });
}

/** Their names: the one of the record, and what an update that was cut short has left. */
async function machinesOf(
  name: string,
  known: string | undefined,
  agents: readonly Agent[],
  web: ModalWeb,
): Promise<Set<string>> {
  const sandboxes = await web.client.sandboxes(web.environment, ownTags(name, web));
  const own = agents.filter(
    ({ labels }) =>
      labels["changeling"] === name && labels["changelings_stack"] === web.stack && labels["changeling_kind"] === "web",
  );
  const names = [known, ...sandboxes.map(({ tags }) => tags[hostNameTag]), ...own.map(({ host }) => host?.name)];
  return new Set(names.flatMap((each) => (each === undefined || each === "" ? [] : [each])));
}
