import { homedir } from "node:os";
import { dirname } from "node:path";
import { isDiskFull } from "../../../components/host/files.ts";
import type { InstallationPaths } from "../../../components/host/installation-paths.ts";
import { kinds } from "../../../components/kinds.ts";
import { brokenAgentRemedy, brokenAgents, mngrHostDir } from "../../../components/mngr/host-dir.ts";
import { type Check, failed, ok } from "../../../components/stack/check.ts";
import type { DeployableKind } from "../../../components/stack/deployment.ts";

const inspected: readonly Pick<DeployableKind, "inspection">[] = Object.values(kinds);

/** Checks what affects runs on this machine whatever the fleet is: its disks, and the files of mngr's agents. */
export async function machineChecks(paths: InstallationPaths, env: NodeJS.ProcessEnv = process.env): Promise<Check[]> {
  const inspections = await Promise.all(inspected.map((kind) => kind.inspection()));
  const used = inspections.flatMap((each) => each.uses?.(paths) ?? []);
  const own = mngrHostDir({ HOME: homedir(), ...env });
  const hostDirs = [own, ...used.flatMap(({ mngrProfiles }) => mngrProfiles.map((profile) => `${own}-${profile}`))];
  const folders = used.flatMap((each) => each.folders);
  return [diskCheck([dirname(paths.root), own, ...folders]), ...agentChecks([...new Set(hostDirs)])];
}

function diskCheck(folders: readonly string[]): Check {
  const full = [...new Set(folders)].filter(isDiskFull);
  if (full.length === 0) return ok("disk", "has free space");
  const detail = `full: ${full.join(", ")}; no run can be recorded or started`;
  return failed(
    "disk",
    detail,
    "free space there; runs that came due meanwhile are then caught up, where catch_up is true",
  );
}

function agentChecks(hostDirs: readonly string[]): Check[] {
  const checks = hostDirs.flatMap((hostDir) =>
    brokenAgents(hostDir).map((agent) =>
      failed(
        "mngr's agents",
        `${agent.file} is not JSON, so mngr can neither list nor make agents`,
        brokenAgentRemedy(agent, hostDir),
      ),
    ),
  );
  return checks.length === 0 ? [ok("mngr's agents", "their files can be read")] : checks;
}
