import { existsSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { quoted } from "../../lib/shell-command.ts";
import type { Agent } from "../../mngr/client.ts";
import { agentFolder } from "../../mngr/host-dir.ts";
import { hostDirOf } from "../../mngr/profile.ts";
import { isRunning } from "../agent/drift.ts";
import { failedStart } from "../agent/failed-start.ts";
import { newAgentId, recordOn, recordsHere } from "../agent/record.ts";
import type { AgentHost, Deployed, PlacedAgent, WebUpdate } from "../life-cycle/agent-host.ts";
import { rolledBack } from "../life-cycle/roll-back.ts";
import { labelsOf, type WebAgents } from "../life-cycle/web-agents.ts";
import { type Merged, sinceLastStart, undoMerge } from "../repo/merge.ts";
import { linkRemote } from "../repo/push.ts";
import { prepareRepo } from "../repo/repo.ts";
import { serversSinceStart } from "./servers.ts";
import { startAgent } from "./start-agent.ts";

/**
 * Web agents on this machine. It is always up, all agents share it, and their repos and data are folders. git works directly
 * in an agent's repo, because this machine wrote it.
 *
 * @param mngrProfile the profile that the agents run in; undefined for the user's own
 */
export function localHost(mngrProfile: string | undefined, web: WebAgents): AgentHost {
  const { installation, paths, env, log } = web;
  const mngr = web.mngr(mngrProfile);
  const records = recordsHere("local", paths);
  const folderOf = (agentId: string) => agentFolder(hostDirOf(mngrProfile, env), agentId);
  const remoteOf = ({ secrets }: WebUpdate) => ({
    ...{ env, token: secrets["GITHUB_TOKEN"] },
    warn: (message: string) => log(`warning: ${message}`),
  });
  const host: AgentHost = {
    ...{ provider: "local", paths, log },
    records: {
      ...records,
      async first(name, agents) {
        const agentId = agentOf(name, agents, installation)?.id ?? newAgentId();
        return { agentId, repo: join(dirname(paths.root), agentId) };
      },
      dataBeside: (repo) => `${repo}.data`,
    },
    async begin({ name }, former) {
      // In another profile it would become a second agent beside the running one.
      for (const each of former === undefined ? [name] : [name, former]) {
        const record = recordOn("local", paths, each);
        if (record === undefined || record.mngrProfile === mngrProfile) continue;
        await web.mngr(record.mngrProfile).destroy([record.agentId]);
      }
      if (recordOn("local", paths, name)?.applied === undefined) await mngr.checkVersion();
    },
    agents: async () => (await mngr.list()).agents.map(placed),
    checkName({ agentId, agentName: name }, agents) {
      if (!agents.some((agent) => agent.name === name && agent.id !== agentId)) return;
      throw new Error(
        `mngr already has another agent named ${name}; rename that agent (mngr rename ${name} NEW_NAME), or the changeling`,
      );
    },
    rename: (agent, name) => mngr.rename(agent.name, name),
    async stop(agent) {
      if (agent.state !== "STOPPED") await mngr.stop(agent.id);
    },
    async resumed(update, agent) {
      const { repo, applied } = update.record;
      if (!isRunning(agent) || applied?.enabled !== true || !existsSync(repo)) return {};
      const servers = await serversSinceStart(folderOf(agent.id));
      if (Object.keys(servers).length > 0) await linkRemote(repo, update.spec, remoteOf(update));
      return servers;
    },
    async deploy(update, agent) {
      const { spec, record } = update;
      const onMove = (merged: Merged) => records.write({ ...record, merged: sinceLastStart(record, merged) });
      const now = await prepareRepo(record.repo, spec, { ...remoteOf(update), onMove });
      const start = (of: WebUpdate): Promise<Deployed> =>
        startAgent(of, { installation, mngr, env, folder: folderOf(of.record.agentId) });
      return await start(update).catch(async (error: unknown) => {
        throw await failedStart(error, {
          ...{ name: spec.name, secrets: update.secrets },
          async shown() {
            const state = (await mngr.list()).agents.find(({ id }) => id === record.agentId)?.state;
            const isShown = state !== undefined && state !== "STOPPED";
            return isShown ? await mngr.capture(record.agentId, state === "DONE") : undefined;
          },
          rollBack: () => rollBack(update, agent, sinceLastStart(record, now), start),
        });
      });
    },
    finish: (update) => linkRemote(update.record.repo, update.spec, remoteOf(update)),
    async destroy(name, record) {
      // Without a record, the labels identify the agent.
      const agentId = record?.agentId ?? agentOf(name, await host.agents(), installation)?.id;
      if (agentId !== undefined) await mngr.destroy([agentId]);
      return agentId;
    },
    dataWords: "repo and data",
    async deleteData({ repo, data }) {
      if (!relative(data, homedir()).startsWith("..")) {
        throw new Error(
          `${data} contains your home folder, so it is not deleted; set data to another folder, or destroy_data = false`,
        );
      }
      for (const place of [data, repo, `${repo}.unfinished`, `${repo}.merge`]) {
        rmSync(place, { recursive: true, force: true, maxRetries: 3 });
      }
    },
    kept({ repo, data }) {
      const places = { ...(existsSync(repo) ? { repo } : {}), ...(existsSync(data) ? { data } : {}) };
      const paths = Object.values(places);
      return { ...places, words: paths.length === 0 ? undefined : `: ${paths.join(", ")}` };
    },
  };

  function rollBack(
    update: WebUpdate,
    agent: PlacedAgent | undefined,
    merged: Merged,
    start: (of: WebUpdate) => Promise<Deployed>,
  ): Promise<string> {
    const { agentId, repo } = update.record;
    return rolledBack({
      ...{ update, merged, records: host.records, isRestored: false },
      undoMerge: () => undoMerge(repo, merged, env),
      async end() {
        // Nothing else removes the agent of a failed create; an agent that existed before stays.
        if (agent === undefined) await mngr.destroy([agentId]);
        else await mngr.stop(agentId);
        return agent === undefined ? "its agent was removed" : "its agent is stopped";
      },
      start: (spec, record) => start({ ...update, spec, record }),
      hint: ` (git -C ${quoted(repo)} log)`,
    });
  }

  return host;
}

function placed(agent: Agent): PlacedAgent {
  return {
    ...agent,
    host: agent.host ?? { id: "localhost", name: "localhost", provider_name: "local", snapshots: [] },
  };
}

/** Finds the agent by the labels that `pulumi up` set. */
function agentOf(name: string, agents: readonly Agent[], installation: string): Agent | undefined {
  const labels = Object.entries(labelsOf({ name }, installation));
  return agents.find((agent) => labels.every(([key, value]) => agent.labels[key] === value));
}
