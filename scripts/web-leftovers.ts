import { rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { InstallationPaths } from "../components/installation-paths.ts";
import { profileMngr } from "../components/mngr/profile-mngr.ts";
import { webAgents } from "../components/web/local/web-agents.ts";
import type { WebRecord } from "../components/web/record.ts";

/** Removes the agents of web changelings that a stack could not remove itself; those that are gone are passed over. */
export async function destroyAgents(records: readonly WebRecord[]): Promise<void> {
  const local = records.filter(({ provider }) => provider === "local");
  for (const profile of new Set(local.map(({ mngrProfile }) => mngrProfile))) {
    const ids = local.filter(({ mngrProfile }) => mngrProfile === profile).map(({ agentId }) => agentId);
    await profileMngr(profile, process.env).destroy(ids);
  }
}

/**
 * Removes what web changelings keep below `~/.changelings`: their repos, and the data that stands in their own place.
 * @returns the data that a fleet file put elsewhere, which stays
 */
export function removeKept(records: readonly WebRecord[], home: string = homedir()): string[] {
  const folder = join(home, ".changelings");
  for (const { agentId } of records) {
    for (const own of [agentId, `${agentId}.data`]) rmSync(join(folder, own), { recursive: true, force: true });
  }
  const isOwn = ({ agentId, data }: WebRecord) => data === join(folder, `${agentId}.data`);
  return records.filter((record) => record.provider === "local" && !isOwn(record)).map(({ data }) => data);
}

/**
 * Removes what is left of web changelings in Docker: machines that the stack could not remove itself, and their volumes.
 * @returns the volumes with data that a fleet file named, which stay
 */
export async function removeFromDocker(
  records: readonly WebRecord[],
  installation: string,
  paths: InstallationPaths,
): Promise<string[]> {
  const inDocker = records.filter(({ provider }) => provider === "docker");
  if (inDocker.length === 0) return [];
  const [{ dockerClient }, docker] = await Promise.all([
    import("../components/web/docker/docker-client.ts"),
    import("../components/web/docker/remove-from-docker.ts"),
  ]);
  const agents = webAgents(installation, paths);
  const named: string[] = [];
  for (const { name, mngrProfile, repo, data } of inDocker) {
    await docker.removeFromDocker({ name, mngrProfile, destroyData: false }, agents);
    const isOwn = data.startsWith(`changelings_${installation}_`);
    if (!isOwn) named.push(data);
    for (const volume of isOwn ? [repo, data] : [repo]) await dockerClient(process.env).deleteVolume(volume);
  }
  return named;
}
