import type { InstallationPaths } from "../host/installation-paths.ts";
import { installedSandboxes, readSandbox } from "./installed.ts";
import type { ListedSandbox, SandboxProvider } from "./provider.ts";
import { openProvider } from "./providers.ts";
import { openSessions } from "./sessions/client.ts";
import { sessionsFolder } from "./sessions/folder.ts";
import type { SandboxProviderName } from "./spec.ts";

/** The label of the session of a sandbox that is made for a warm snapshot. */
export const warmSession = "warm";
/** Making a warm snapshot takes no longer; in milliseconds. */
const warmMs = 3 * 3_600_000;
/** A sandbox that was just made may not be recorded yet; in milliseconds. */
const graceMs = 30 * 60_000;

/**
 * The sandboxes of an installation that no session has: the service or a Command was killed while it made or ended
 * them.
 *
 * @param isKnown whether there is a session of this id that is not terminated
 */
export async function orphans(
  provider: Pick<SandboxProvider, "list">,
  installation: string,
  isKnown: (session: string) => boolean,
  now = Date.now(),
): Promise<ListedSandbox[]> {
  const all = await provider.list({ installation });
  return all.filter(({ labels, createdAt }) => {
    const { session = "" } = labels;
    const age = now - Date.parse(createdAt);
    return session === warmSession ? age > warmMs : age > graceMs && !isKnown(session);
  });
}

/** The ids of the sessions that are not terminated. @throws SessionError if the service does not answer */
export async function openSessionIds(paths: Pick<InstallationPaths, "sandboxes">): Promise<ReadonlySet<string>> {
  const sessions = await openSessions({ folder: sessionsFolder(paths), person: "owner" }).list();
  return new Set(sessions.filter(({ status }) => status !== "terminated").map(({ id }) => id));
}

/** The providers of the installed changelings. @throws if one was edited by hand */
export function providersInUse(paths: Pick<InstallationPaths, "sandboxes">): SandboxProviderName[] {
  const all = installedSandboxes(paths).flatMap((name) => readSandbox(paths, name)?.spec.provider ?? []);
  return [...new Set(all)];
}

/** Terminates the orphans of an installation. @returns their ids */
export async function removeOrphans(
  installation: string,
  paths: Pick<InstallationPaths, "sandboxes">,
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of providersInUse(paths)) {
    const provider = await openProvider(name, { installation, sandboxes: paths.sandboxes });
    const known = await openSessionIds(paths);
    for (const { id } of await orphans(provider, installation, (session) => known.has(session))) {
      await (await provider.open(id))?.terminate();
      removed.push(id);
    }
  }
  return removed;
}
