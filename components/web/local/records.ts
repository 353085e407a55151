import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { ensureFolder } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { withLock } from "../../host/lock.ts";
import { canonicalJson } from "../../lib/json.ts";
import { printNote } from "../../lib/terminal.ts";
import type { Agent, Mngr } from "../../mngr/client.ts";
import { mngrEnvironment, profileMngr } from "../../mngr/profile.ts";
import { readSecrets } from "../../secrets/installed.ts";
import { isFree, newAgentId, readRecord, removeRecord, type WebRecord, writeRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import { handOver } from "../forwarding/admin-client.ts";
import { labelsOf } from "./start-agent.ts";

/** What managing an installation's web agents needs. */
export interface WebAgents {
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** Environment for child processes, without any secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** @param profile the profile that the agents run in; undefined for the person's own */
  mngr(profile: string | undefined): Mngr;
  /** Writes to the log of `pulumi up`. */
  readonly log: (line: string) => void;
}

export function webAgents(installation: string, paths: InstallationPaths): WebAgents {
  return {
    installation,
    paths,
    env: mngrEnvironment(process.env),
    mngr: (profile) => profileMngr(profile, process.env),
    log: (line) => printNote(`${line}\n`),
  };
}

export function lockPath(paths: InstallationPaths, name: string): string {
  return join(paths.web, `${name}.lock`);
}

/** Locks a changeling's agent, so that only one process works on it at a time. */
export function exclusively<Result>(
  { paths }: Pick<WebAgents, "paths">,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  ensureFolder(paths.web);
  return withLock(lockPath(paths, name), { what: `working on the agent of ${name}`, waitSeconds: 60 }, work);
}

/** The folder of a web changeling's repo, beside its data. */
function repoOf(paths: InstallationPaths, agentId: string): string {
  return join(dirname(paths.root), agentId);
}

/**
 * The record of a changeling, created if there is none. A record under its former name is moved to the new one, and an
 * agent with its labels is found again.
 */
export function recordFor(
  spec: WebSpec,
  former: string | undefined,
  agents: readonly Agent[],
  { paths, installation }: WebAgents,
): WebRecord {
  const own = localRecord(paths, spec.name);
  const renamed = isFree(own) && former !== undefined ? localRecord(paths, former) : undefined;
  const found = renamed ?? own;
  const agentId = found?.agentId ?? agentOf(spec.name, agents, installation)?.id ?? newAgentId();
  const repo = found?.repo ?? repoOf(paths, agentId);
  const { removed, ...kept } = found ?? { removed: undefined };
  const record: WebRecord = {
    ...kept,
    version: 1,
    name: spec.name,
    agentId,
    agentName: spec.name,
    provider: spec.provider,
    mngrProfile: spec.mngrProfile,
    repo,
    data: spec.data ?? `${repo}.data`,
  };
  writeRecord(paths, record);
  // The previous run may have been interrupted between the two writes.
  if (former !== undefined && readRecord(paths, former)?.agentId === agentId) removeRecord(paths, former);
  return record;
}

/** Ignores the record of an agent with another provider. */
export function localRecord(paths: InstallationPaths, name: string): WebRecord | undefined {
  const record = readRecord(paths, name);
  return record?.provider === "local" ? record : undefined;
}

/** Finds the agent by the labels that `pulumi up` set. */
export function agentOf(name: string, agents: readonly Agent[], installation: string): Agent | undefined {
  const labels = Object.entries(labelsOf({ name }, installation));
  return agents.find((agent) => labels.every(([key, value]) => agent.labels[key] === value));
}

/** Its secrets that have a value. */
export function secretsOf({ name, secrets }: WebSpec, { paths }: WebAgents): Record<string, string> {
  const values = readSecrets(paths, name);
  return Object.fromEntries(secrets.flatMap((each) => (values[each] === undefined ? [] : [[each, values[each]]])));
}

export function digestOfSecrets(values: Readonly<Record<string, string>>): string {
  return createHash("sha256").update(canonicalJson(values)).digest("hex");
}

/**
 * Asks the forwarding server to look for agents again. That takes seconds, so this does not wait. A stopped server
 * looks when it starts.
 */
export async function tellForwardingServer({ paths }: Pick<WebAgents, "paths">): Promise<void> {
  await handOver(paths.forwarding, { op: "refresh" });
}
