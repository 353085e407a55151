import { join } from "node:path";
import { ensureFolder } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { withLock } from "../../host/lock.ts";
import { digestOfJson } from "../../lib/json.ts";
import { printNote } from "../../lib/terminal.ts";
import type { Mngr } from "../../mngr/client.ts";
import { mngrEnvironment, profileMngr } from "../../mngr/profile.ts";
import { readSecrets } from "../../secrets/installed.ts";
import type { WebSpec } from "../agent/spec.ts";
import { sendRequest } from "../forwarding/admin-client.ts";

/** The context for managing an installation's web agents. */
export interface WebAgents {
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** Environment for child processes, without any secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** @param profile the profile that the agents run in; undefined for the user's own */
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

/** The labels that identify a web changeling's agent. */
export function labelsOf({ name }: { readonly name: string }, installation: string): Record<string, string> {
  return {
    CREATOR: "changeling",
    changeling: name,
    changeling_kind: "web",
    changelings_installation: installation,
  };
}

/** Its secrets that have a value. */
export function secretsOf({ name, secrets }: WebSpec, { paths }: Pick<WebAgents, "paths">): Record<string, string> {
  const values = readSecrets(paths, name);
  return Object.fromEntries(secrets.flatMap((each) => (values[each] === undefined ? [] : [[each, values[each]]])));
}

export function digestOfSecrets(values: Readonly<Record<string, string>>): string {
  return digestOfJson(values);
}

/**
 * Makes the forwarding server query all agents again. That takes seconds, so this does not wait. A stopped server queries
 * them when it starts.
 */
export async function notifyForwardingServer({ paths }: Pick<WebAgents, "paths">): Promise<void> {
  await sendRequest(paths.forwarding, { op: "refresh" });
}
