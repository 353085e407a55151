import { readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { ensureFolder } from "../host/files.ts";
import { type InstallationPaths, installationPaths } from "../host/installation-paths.ts";
import { profileMngr } from "../mngr/profile.ts";
import type { DataToDelete, Leftovers } from "../stack/deployment.ts";
import { readRecords, recordPath, removeRecord, type WebRecord, writeRecord } from "./agent/record.ts";
import { removeFromDocker as removeServer } from "./forwarding/docker/end-container.ts";
import { readContainer } from "./forwarding/docker/installed-container.ts";
import { stopForwardingServer } from "./forwarding/supervise.ts";
import { removeWeb } from "./life-cycle/remove.ts";
import { webAgents } from "./life-cycle/web-agents.ts";

/** The data and repositories of web changelings are kept, with their records, for a later changeling of the same name. */
export const webLeftovers: Leftovers = {
  data: (paths) =>
    readRecords(paths)
      .filter(({ provider }) => provider !== "modal")
      .map((record) => ({ name: record.name, places: keptLocations(record) })),
  keptFiles: (paths) => readRecords(paths).map(({ name }) => recordPath(paths, name)),
  async remove(installation, paths, going) {
    await stopForwardingServer(installation);
    if (readContainer(paths.forwarding) !== undefined) await removeServer(installation);
    const records = readRecords(paths);
    await destroyAgents(records.filter(({ provider, removed }) => provider === "local" && removed !== true));
    const inDocker = records.filter(({ provider }) => provider === "docker");
    const deleteVolumes = inDocker.length === 0 ? undefined : await removeMachines(inDocker, installation, paths);
    const places: string[] = [];
    const kept: WebRecord[] = [];
    for (const record of records) {
      if (record.provider === "modal") continue;
      const isGoing = going.all || isOfExample(record, going);
      const gone = isGoing ? ownLocations(record, installation) : [];
      if (record.provider === "docker") await deleteVolumes?.(gone);
      else for (const place of gone) rmSync(place, { recursive: true, force: true, maxRetries: 3 });
      places.push(...keptLocations(record).filter((place) => !gone.includes(place.replace(/^volume /, ""))));
      if (!isGoing) kept.push(record);
    }
    keepRecords(paths, kept);
    return places;
  },
};

/** The folders or Docker volumes that are kept after the agent is destroyed. */
function keptLocations({ provider, repo, data }: WebRecord): string[] {
  return provider === "docker" ? [`volume ${repo}`, `volume ${data}`] : [repo, data];
}

/** Folders that belong to the changeling alone. A fleet file may have put its data elsewhere. */
function ownLocations({ agentId, provider, repo, data }: WebRecord, installation: string): string[] {
  const folder = dirname(installationPaths(installation, homedir()).root);
  const own = provider === "docker" ? `changelings_${installation}_` : join(folder, agentId);
  return [repo, data].filter((place) => place.startsWith(own));
}

/** Whether an agent is one of the example's, with its agent type unchanged. */
function isOfExample({ name, provider, applied }: WebRecord, { example }: DataToDelete): boolean {
  const declared = example?.get(name);
  if (declared?.kind !== "web" || declared.agentType === undefined || provider !== "local") return false;
  return applied === undefined || (applied.source === undefined && applied.agentType === declared.agentType);
}

async function destroyAgents(records: readonly WebRecord[]): Promise<void> {
  for (const [profile, own] of Map.groupBy(records, ({ mngrProfile }) => mngrProfile)) {
    await profileMngr(profile, process.env).destroy(own.map(({ agentId }) => agentId));
  }
}

/** @returns a function that deletes volumes */
async function removeMachines(records: readonly WebRecord[], installation: string, paths: InstallationPaths) {
  const [{ dockerClient }, { dockerHost }] = await Promise.all([
    import("../docker/client.ts"),
    import("./docker/provider.ts"),
  ]);
  const agents = webAgents(installation, paths);
  for (const { name, mngrProfile } of records) {
    await removeWeb({ name, destroyData: false }, dockerHost(mngrProfile, agents));
  }
  return async (volumes: readonly string[]) => {
    for (const volume of volumes) await dockerClient(process.env).deleteVolume(volume);
  };
}

function keepRecords(paths: InstallationPaths, kept: readonly WebRecord[]): void {
  const names = new Set(kept.map(({ name }) => name));
  for (const { name } of readRecords(paths)) if (!names.has(name)) removeRecord(paths, name);
  if (kept.length === 0) return;
  ensureFolder(paths.web);
  for (const record of kept) writeRecord(paths, { ...record, removed: true });
  const files = new Set(kept.map(({ name }) => recordPath(paths, name)));
  for (const name of readdirSync(paths.web)) {
    const path = join(paths.web, name);
    if (!files.has(path)) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
