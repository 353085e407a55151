import { readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { claimFileName } from "../../components/host/claims.ts";
import { ensureFolder } from "../../components/host/files.ts";
import { type InstallationPaths, installationPaths } from "../../components/host/installation-paths.ts";
import { kinds } from "../../components/kinds.ts";
import { profileMngr } from "../../components/mngr/profile.ts";
import type { DeployableKind, GoingData } from "../../components/stack/deployment.ts";
import {
  readRecords,
  recordPath,
  removeRecord,
  type WebRecord,
  writeRecord,
} from "../../components/web/agent/record.ts";
import { removeFromDocker as removeServer } from "../../components/web/forwarding/docker/end-container.ts";
import { readContainer } from "../../components/web/forwarding/docker/installed-container.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { webAgents } from "../../components/web/local/records.ts";

/** What a web changeling keeps after its agent is destroyed: folders, or Docker volumes. */
export function keptPlaces({ provider, repo, data }: WebRecord): string[] {
  return provider === "docker" ? [`volume ${repo}`, `volume ${data}`] : [repo, data];
}

/** Folders that belong to the changeling alone. A fleet file may have put its data elsewhere. */
function ownPlaces({ agentId, provider, repo, data }: WebRecord, installation: string, home: string): string[] {
  const folder = dirname(installationPaths(installation, home).root);
  const own = provider === "docker" ? `changelings_${installation}_` : join(folder, agentId);
  return [repo, data].filter((place) => place.startsWith(own));
}

/**
 * Stops everything that runs for an installation on this machine, and removes its files: without Pulumi, for a stack
 * that no longer exists, or after it was destroyed.
 *
 * @param isGoing selects the web changelings whose repository and data are deleted too, unless a fleet file put them
 *   elsewhere. Those of the others remain, with their records, for a later changeling of the same name
 * @param going the data of other kinds that is deleted too
 * @returns what remains: folders, and Docker volumes
 */
export async function removeInstallation(
  installation: string,
  isGoing: (record: WebRecord) => boolean,
  going: GoingData,
): Promise<string[]> {
  const home = homedir();
  const paths = installationPaths(installation, home);
  await Promise.all([stopScheduler(installation, { endRuns: true }), stopForwardingServer(installation)]);
  const ofKinds: string[] = [];
  for (const kind of deployable) {
    const leftovers = await kind.leftovers?.();
    if (leftovers !== undefined) ofKinds.push(...(await leftovers.remove(installation, paths, going)));
  }
  if (readContainer(paths.forwarding) !== undefined) await removeServer(installation);
  const records = readRecords(paths);
  await destroyAgents(records.filter(({ provider, removed }) => provider === "local" && removed !== true));
  const inDocker = records.filter(({ provider }) => provider === "docker");
  const deleteVolumes = inDocker.length === 0 ? undefined : await removeMachines(inDocker, installation, paths);
  const stay: string[] = [];
  const kept: WebRecord[] = [];
  for (const record of records) {
    if (record.provider === "modal") continue;
    const gone = isGoing(record) ? ownPlaces(record, installation, home) : [];
    if (record.provider === "docker") await deleteVolumes?.(gone);
    else for (const place of gone) rmSync(place, { recursive: true, force: true, maxRetries: 3 });
    const left = keptPlaces(record).filter((place) => !gone.includes(place.replace(/^volume /, "")));
    stay.push(...left);
    if (!isGoing(record)) kept.push(record);
  }
  removeAllBut(paths, kept, ofKinds);
  return [...stay, ...ofKinds];
}

const deployable: readonly Pick<DeployableKind, "noun" | "leftovers">[] = Object.values(kinds);

async function destroyAgents(records: readonly WebRecord[]): Promise<void> {
  for (const [profile, own] of Map.groupBy(records, ({ mngrProfile }) => mngrProfile)) {
    await profileMngr(profile, process.env).destroy(own.map(({ agentId }) => agentId));
  }
}

/** @returns a function that deletes volumes */
async function removeMachines(records: readonly WebRecord[], installation: string, paths: InstallationPaths) {
  const [{ dockerClient }, { removeFromDocker }] = await Promise.all([
    import("../../components/docker/client.ts"),
    import("../../components/web/docker/provider.ts"),
  ]);
  const agents = webAgents(installation, paths);
  for (const { name, mngrProfile } of records) {
    await removeFromDocker({ name, mngrProfile, destroyData: false }, agents);
  }
  return async (volumes: readonly string[]) => {
    for (const volume of volumes) await dockerClient(process.env).deleteVolume(volume);
  };
}

/** Removes the installation's folder if nothing in it is kept. @param places what the other kinds keep */
function removeAllBut(paths: InstallationPaths, kept: readonly WebRecord[], places: readonly string[]): void {
  const within = places.filter((place) => place.startsWith(`${paths.root}/`));
  if (kept.length + within.length === 0) {
    rmSync(paths.root, { recursive: true, force: true, maxRetries: 3 });
    return;
  }
  const names = new Set(kept.map(({ name }) => name));
  for (const { name } of readRecords(paths)) if (!names.has(name)) removeRecord(paths, name);
  ensureFolder(paths.web);
  for (const record of kept) writeRecord(paths, { ...record, removed: true });
  const files = new Set(kept.map(({ name }) => recordPath(paths, name)));
  const holds = (path: string) => within.some((place) => place === path || place.startsWith(`${path}/`));
  const isKept = (path: string) =>
    files.has(path) || path === paths.web || path === join(paths.root, claimFileName) || holds(path);
  for (const folder of [paths.web, paths.root]) {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (!isKept(path)) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}
