import { existsSync, readdirSync } from "node:fs";
import { readRecord, type WebRecord } from "../../../components/web/agent/record.ts";
import { removeWeb } from "../../../components/web/life-cycle/remove.ts";
import { webAgents } from "../../../components/web/life-cycle/web-agents.ts";
import { localHost } from "../../../components/web/local/local-host.ts";
import { installationOf, shortNameOf } from "../../stack/stack.ts";
import { tokenOf } from "../observe-modal.ts";
import type { StackSelection } from "../stack-selection.ts";

/**
 * Removes the parts of a web changeling that Pulumi leaves: its data and repo, if requested, and everything of one that
 * could not be created, because Pulumi does not know it.
 *
 * @param before its record before anything was removed
 * @param data whether to remove its data and repo
 */
export async function removeRest(place: StackSelection, before: WebRecord, data: boolean): Promise<void> {
  const { name, provider, mngrProfile } = before;
  const left = readRecord(place.paths, name);
  if ((left === undefined || left.removed === true) && !data) return;
  const agents = webAgents(installationOf(place.stack), place.paths);
  switch (provider) {
    case "local": {
      const destroyData = data || (left !== undefined && neverHeldData(left));
      return void (await removeWeb({ name, destroyData }, localHost(mngrProfile, agents)));
    }
    case "docker": {
      const { dockerHost } = await import("../../../components/web/docker/provider.ts");
      return void (await removeWeb({ name, destroyData: data }, dockerHost(left?.mngrProfile ?? mngrProfile, agents)));
    }
    case "modal": {
      const { removeFromModal } = await import("../../../components/web/modal/provider.ts");
      const web = await webOnModal(place, agents);
      if (web !== undefined) await removeFromModal({ name, destroyData: data }, web);
    }
  }
}

function neverHeldData({ removed, applied, data }: WebRecord): boolean {
  return removed !== true && applied === undefined && !holdsFiles(data);
}

function holdsFiles(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) => !entry.isDirectory());
}

/** @returns undefined if the stack has nothing on Modal */
async function webOnModal({ stack }: StackSelection, agents: ReturnType<typeof webAgents>) {
  const [{ modalClient }, { observeModal }, identity, { modalWeb }, token] = await Promise.all([
    import("../../../components/modal/client.ts"),
    import("../../../components/modal/observe.ts"),
    import("../../../components/modal/identity.ts"),
    import("../../../components/web/modal/machine-web.ts"),
    tokenOf(stack),
  ]);
  const client = modalClient({ token, env: process.env });
  const localEnvironment = identity.personEnvironment(identity.personIdentity(process.env));
  const observed = await observeModal({ stack: shortNameOf(stack), client, localEnvironment });
  if (observed.identity === undefined) return undefined;
  const { environment, userId, prefix, mngrProfile } = observed.identity;
  return modalWeb({ stack: shortNameOf(stack), environment, userId, prefix, mngrProfile }, agents);
}
