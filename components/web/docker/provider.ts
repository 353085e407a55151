import { dockerClient } from "../../docker/client.ts";
import { recordOn, type WebRecord } from "../agent/record.ts";
import type { AgentHost } from "../life-cycle/agent-host.ts";
import type { WebAgents } from "../life-cycle/web-agents.ts";
import { machineHost } from "../machine/machine-host.ts";
import { destroyMachine } from "../machine/machines.ts";
import { dockerWeb } from "./machine-web.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";
import { removeMngrState } from "./mngr-state.ts";

/**
 * Web agents in Docker.
 * @param mngrProfile the profile that they run in; undefined for the user's own
 */
export function dockerHost(mngrProfile: string | undefined, agents: WebAgents): AgentHost {
  const host = machineHost(dockerWeb(mngrProfile, agents));
  return {
    ...host,
    /** Another profile's mngr does not see its machine. The agent's repo and data are kept on volumes. */
    async begin({ name }, former) {
      for (const each of former === undefined ? [name] : [name, former]) {
        const record = recordOn("docker", agents.paths, each);
        if (record?.host === undefined || record.mngrProfile === mngrProfile) continue;
        await destroyMachine(record.host, dockerWeb(record.mngrProfile, agents));
      }
    },
    async destroy(name, record) {
      const agentId = await host.destroy(name, record);
      await removeStateOfMngr(agents);
      return agentId;
    },
  };
}

/** Only warns on failure: the changeling is already removed, and leftovers only take space. */
async function removeStateOfMngr({ installation, log }: WebAgents): Promise<void> {
  try {
    for (const volume of await removeMngrState(dockerClient(process.env), installation)) {
      log(`mngr's container and volume ${volume} are removed, because their records contain no machine in use`);
    }
  } catch (error) {
    log(`mngr's container with its records could not be removed: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Starts an agent that is stopped, or whose container is; does nothing if it runs.
 * @throws MngrError
 */
export async function ensureStarted({ hostAddress, mngrProfile }: WebRecord, env: NodeJS.ProcessEnv): Promise<void> {
  if (hostAddress !== undefined) await mngrOnDocker(mngrProfile, env).start(hostAddress);
}
