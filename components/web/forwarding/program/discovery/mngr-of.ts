import { join } from "node:path";
import type { InstallationPaths } from "../../../../host/installation-paths.ts";
import { hostDirOf, mngrEnvironment, profileHostDir } from "../../../../mngr/profile.ts";
import type { WebRecord } from "../../../agent/record.ts";

/** Identifies the mngr that manages an agent. Agents with the same mngr are queried together. */
export function mngrKeyOf({ provider, mngrProfile, mngrHostDir }: WebRecord): string {
  return [provider, mngrProfile ?? "", mngrHostDir ?? ""].join(" ").trim();
}

/** The state folder of an agent on this machine. */
export function stateFolderOf({ agentId, mngrProfile, mngrHostDir }: WebRecord, env: NodeJS.ProcessEnv): string {
  return join(mngrHostDir ?? hostDirOf(mngrProfile, env), "agents", agentId);
}

/**
 * @returns the environment of that mngr
 * @throws if it can't be determined
 */
export async function mngrEnvironmentOf(
  { provider, mngrProfile, mngrHostDir }: WebRecord,
  { paths, env }: { readonly paths: InstallationPaths; readonly env: NodeJS.ProcessEnv },
): Promise<Readonly<Record<string, string>>> {
  const hostDir = mngrHostDir ?? profileHostDir(mngrProfile, env);
  if (provider === "docker") {
    const { mngrDockerEnvironment } = await import("../../../docker/mngr-on-docker.ts");
    return mngrDockerEnvironment(env, hostDir);
  }
  if (provider === "local" || hostDir === undefined) return mngrEnvironment(env, hostDir);
  // Loaded lazily, so that Modal's modules only load when used.
  const [{ mngrOnModal }, { keptModalToken }] = await Promise.all([
    import("../../../modal/mngr-on-modal.ts"),
    import("../../../../modal/kept-token.ts"),
  ]);
  return mngrOnModal({ hostDir, mngrProfile, token: keptModalToken(paths.forwarding, env), env }).env;
}
