import type { WebSpec } from "../agent/spec.ts";
import { secretsOf, type WebAgents } from "../local/records.ts";
import { type AppliedOnMachine, applyOnMachine } from "../machine/apply-on-machine.ts";
import { destroyMachine } from "../machine/machines.ts";
import { dockerRecord, dockerWeb } from "./machine-web.ts";

/** As `applyOnMachine`, with the secrets that are installed for it. */
export async function applyOnDocker(
  spec: WebSpec,
  former: string | undefined,
  agents: WebAgents,
): Promise<AppliedOnMachine> {
  for (const name of former === undefined ? [spec.name] : [spec.name, former]) await leaveProfile(name, spec, agents);
  return await applyOnMachine(spec, former, {
    secrets: secretsOf(spec, agents),
    web: dockerWeb(spec.mngrProfile, agents),
  });
}

/** The mngr of another profile does not see its machine; what the agent has is on volumes. */
async function leaveProfile(name: string, { mngrProfile }: WebSpec, agents: WebAgents): Promise<void> {
  const record = dockerRecord(agents.paths, name);
  if (record?.host === undefined || record.mngrProfile === mngrProfile) return;
  await destroyMachine(record.host, dockerWeb(record.mngrProfile, agents));
}
