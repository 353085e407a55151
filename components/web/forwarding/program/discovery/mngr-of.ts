import { join } from "node:path";
import type { InstallationPaths } from "../../../../host/installation-paths.ts";
import { hostDirOf, mngrEnvironment, profileHostDir } from "../../../../mngr/profile.ts";
import type { WebRecord } from "../../../agent/record.ts";

/** Which mngr an agent is seen with: agents with the same one are asked for at once. */
export function mngrKeyOf({ provider, mngrProfile, mngrHostDir }: WebRecord): string {
  return [provider, mngrProfile ?? "", mngrHostDir ?? ""].join(" ").trim();
}

/** Where the state of an agent of this machine is. */
export function stateFolderOf({ agentId, mngrProfile, mngrHostDir }: WebRecord, env: NodeJS.ProcessEnv): string {
  return join(mngrHostDir ?? hostDirOf(mngrProfile, env), "agents", agentId);
}

/** @returns the environment of that mngr @throws when it can't be told */
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
  // Modal's parts load only for who uses them.
  const [{ mngrOnModal }, { keptModalToken }] = await Promise.all([
    import("../../../modal/mngr-on-modal.ts"),
    import("../../../modal/kept-token.ts"),
  ]);
  return mngrOnModal({ hostDir, mngrProfile, token: keptModalToken(paths, env), env }).env;
}
