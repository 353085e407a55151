import { existsSync } from "node:fs";
import type { Agent, Mngr } from "../../mngr/client.ts";
import { isAsApplied, isRunning } from "../agent/drift.ts";
import { type WebRecord, writeRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import { type Merged, sinceLastStart } from "../repo/merge.ts";
import { linkRemote } from "../repo/push.ts";
import { prepareRepo } from "../repo/repo.ts";
import { type Servers, serversSinceStart } from "./await-servers.ts";
import { goBack } from "./go-back.ts";
import {
  digestOfSecrets,
  exclusively,
  localRecord,
  recordFor,
  secretsOf,
  tellForwardingServer,
  type WebAgents,
} from "./records.ts";
import { startAgent } from "./start-agent.ts";

export interface Applied {
  readonly agentId: string;
  /** Empty for a stopped agent. */
  readonly servers: Servers;
}

/**
 * Brings a web changeling to its declared state, whatever already exists: its repo, agent and running servers. Never
 * loses the agent's commits: an update merges or is rejected. An agent that does not come up is rolled back to what ran
 * before.
 * Every step can be repeated: each run starts from the record, git and mngr.
 *
 * @param former its name before a rename
 * @throws with the error, and with what runs now
 */
export function applyWeb(spec: WebSpec, former: string | undefined, web: WebAgents): Promise<Applied> {
  return exclusively(web, spec.name, async () => {
    await leaveProfile(spec, former, web);
    const mngr = web.mngr(spec.mngrProfile);
    const isFirst = localRecord(web.paths, spec.name)?.applied === undefined;
    const [{ agents }] = await Promise.all([mngr.list(), isFirst ? mngr.checkVersion() : undefined]);
    const record = recordFor(spec, former, agents, web);
    const agent = await namedAgent(mngr, record, agents);
    const servers = spec.enabled
      ? await run(spec, record, agent, mngr, web)
      : await rest(spec, record, agent, mngr, web);
    await tellForwardingServer(web);
    return { agentId: record.agentId, servers };
  });
}

/** In another profile it would become a second agent beside the running one. */
async function leaveProfile({ name, mngrProfile }: WebSpec, former: string | undefined, web: WebAgents): Promise<void> {
  for (const each of former === undefined ? [name] : [name, former]) {
    const record = localRecord(web.paths, each);
    if (record === undefined || record.mngrProfile === mngrProfile) continue;
    await web.mngr(record.mngrProfile).destroy([record.agentId]);
  }
}

/**
 * The agent that has this changeling's name, if any.
 * @throws if the name belongs to another agent
 */
async function namedAgent(mngr: Mngr, record: WebRecord, agents: readonly Agent[]): Promise<Agent | undefined> {
  const { agentId: id, agentName: name } = record;
  if (agents.some((agent) => agent.name === name && agent.id !== id)) {
    throw new Error(
      `mngr has an agent ${name} that is not this changeling's; rename it (mngr rename ${name} NEW_NAME), or the changeling`,
    );
  }
  const agent = agents.find((each) => each.id === id);
  if (agent === undefined || agent.name === name) return agent;
  await mngr.rename(agent.name, name);
  return { ...agent, name };
}

async function rest(
  spec: WebSpec,
  record: WebRecord,
  agent: Agent | undefined,
  mngr: Mngr,
  { paths }: WebAgents,
): Promise<Servers> {
  if (agent !== undefined && agent.state !== "STOPPED") await mngr.stop(agent.id);
  writeRecord(paths, { ...record, applied: spec });
  return {};
}

async function run(
  spec: WebSpec,
  record: WebRecord,
  agent: Agent | undefined,
  mngr: Mngr,
  web: WebAgents,
): Promise<Servers> {
  const { env, paths, installation, log } = web;
  const secrets = secretsOf(spec, web);
  const digest = digestOfSecrets(secrets);
  const remote = { env, token: secrets["GITHUB_TOKEN"], warn: (message: string) => log(`warning: ${message}`) };
  const isHere = record.applied?.enabled === true && existsSync(record.repo);
  if (
    agent !== undefined &&
    isRunning(agent) &&
    isHere &&
    isAsApplied(spec, record, agent) &&
    record.secrets === digest
  ) {
    const servers = await serversSinceStart(mngr, record.hostAddress ?? agent.id, 0);
    if (Object.keys(servers).length > 0) {
      writeRecord(paths, { ...record, applied: spec });
      await linkRemote(record.repo, spec, remote);
      return servers;
    }
  }
  const onMove = (merged: Merged) => writeRecord(paths, { ...record, merged: sinceLastStart(record, merged) });
  const now = await prepareRepo(record.repo, spec, { ...remote, onMove });
  const merged = sinceLastStart(record, now);
  const options = { installation, mngr, env, secrets };
  const started = await startAgent(spec, record, options).catch(async (error: unknown) => {
    throw await goBack(error, { spec, record, merged, agent, paths, ...options });
  });
  const { merged: _done, ...kept } = record;
  writeRecord(paths, { ...kept, applied: spec, secrets: digest, hostAddress: started.hostAddress });
  await linkRemote(record.repo, spec, remote);
  return started.servers;
}
