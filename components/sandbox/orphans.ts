import { join } from "node:path";
import type { InstallationPaths } from "../host/installation-paths.ts";
import { quoted } from "../lib/shell-command.ts";
import { installedSandboxes, readSandbox } from "./installed.ts";
import { localPaths } from "./local/paths.ts";
import type { ListedSandbox, SandboxProvider } from "./provider.ts";
import { openProvider } from "./providers.ts";
import { openSessions } from "./sessions/client.ts";
import { sessionsFolder } from "./sessions/folder.ts";
import { recordedSessions, type SavedSession } from "./sessions/runner/records.ts";
import type { SandboxProviderName } from "./spec.ts";

/** The `session` label of a sandbox in which a warm snapshot is made. */
export const warmSession = "warm";
/** The longest that making a warm snapshot takes, in milliseconds. */
const warmMs = 3 * 3_600_000;
/** How long a new sandbox may be missing from the records, in milliseconds. */
const graceMs = 30 * 60_000;

/**
 * The sandboxes of an installation that no session has: the service or a Command was killed while it made or ended
 * them.
 *
 * @param isKnown whether a session of this id still has its sandbox; see `sessionsWithSandboxes`
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

/**
 * The ids of the sessions that are not terminated.
 *
 * @param timeoutMs for a check; by default the request is repeated while the service restarts
 * @throws SessionError if the service does not answer
 */
export async function openSessionIds(
  paths: Pick<InstallationPaths, "sandboxes">,
  timeoutMs?: number,
): Promise<ReadonlySet<string>> {
  const sessions = await openSessions({ folder: sessionsFolder(paths), person: "owner", timeoutMs }).list();
  return new Set(sessions.filter(({ status }) => status !== "terminated").map(({ id }) => id));
}

/**
 * The ids of the sessions whose sandboxes must stay: those that are open in the session service, and those whose sandbox
 * the runner looks after. The service may have lost its sessions, for instance with a worker that was deleted in
 * Cloudflare's dashboard, or they are where the fleet file no longer says. The runner then saves the sandboxes when their
 * time is over.
 *
 * @throws SessionError if the service does not answer
 */
export async function sessionsWithSandboxes(
  paths: Pick<InstallationPaths, "sandboxes">,
  opened: Promise<ReadonlySet<string>> = openSessionIds(paths),
): Promise<ReadonlySet<string>> {
  const open = await opened;
  return new Set([...open, ...recordedSessions(sessionsFolder(paths)).withSandbox]);
}

/**
 * The sessions that are not open in the session service any more and still have a snapshot: the service has lost them,
 * for instance with a worker that was deleted in Cloudflare's dashboard. No command can restore them, because their
 * messages and people are lost too; a person gets the files by hand.
 */
export function lostSessions(
  paths: Pick<InstallationPaths, "sandboxes">,
  open: ReadonlySet<string>,
): readonly SavedSession[] {
  return recordedSessions(sessionsFolder(paths)).saved.filter(({ id }) => !open.has(id));
}

/** How a person gets the files of a snapshot. */
export function filesOfSnapshot({ sandboxes }: Pick<InstallationPaths, "sandboxes">, saved: SavedSession): string {
  const { provider, snapshot } = saved;
  if (provider === "local") {
    const folder = join(localPaths(sandboxes).snapshots, snapshot, "files", "workspace");
    return `copy them from ${folder}; the agent could write there, so don't run git in it`;
  }
  if (provider !== "docker") return `they are in the image ${snapshot} on ${provider}`;
  const image = quoted(snapshot);
  return `copy them with: docker create --name lost ${image} true && docker cp lost:/workspace . && docker rm lost`;
}

/** The providers of the installed changelings. @throws if one was edited by hand */
function providersInUse(paths: Pick<InstallationPaths, "sandboxes">): SandboxProviderName[] {
  const all = installedSandboxes(paths).flatMap((name) => readSandbox(paths, name)?.spec.provider ?? []);
  return [...new Set(all)];
}

export interface RemoveOptions {
  /**
   * Whether to terminate only sandboxes of which the runner's records prove that it made and ended them. A runner that
   * has lost its records can't know whether somebody still works in a sandbox, and must leave that to a person.
   */
  readonly provenOnly?: boolean;
  readonly open?: (name: SandboxProviderName) => Promise<Pick<SandboxProvider, "list" | "open">>;
}

/** Terminates the orphans of an installation. @returns their ids */
export async function removeOrphans(
  installation: string,
  paths: Pick<InstallationPaths, "sandboxes">,
  {
    provenOnly = false,
    open = (name) => openProvider(name, { installation, sandboxes: paths.sandboxes }),
  }: RemoveOptions = {},
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of providersInUse(paths)) {
    const provider = await open(name);
    const known = await sessionsWithSandboxes(paths);
    const { started } = recordedSessions(sessionsFolder(paths));
    for (const { id, labels } of await orphans(provider, installation, (session) => known.has(session))) {
      const { session = "" } = labels;
      if (provenOnly && session !== warmSession && !started.has(session)) continue;
      await (await provider.open(id))?.terminate();
      removed.push(id);
    }
  }
  return removed;
}
