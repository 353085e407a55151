import { homedir } from "node:os";
import { dirname, isAbsolute } from "node:path";
import { installedJobs } from "../../../components/cron/local/installed-files.ts";
import { isDiskFull } from "../../../components/host/files.ts";
import type { InstallationPaths } from "../../../components/host/installation-paths.ts";
import { brokenAgentRemedy, brokenAgents, mngrHostDir } from "../../../components/mngr/host-dir.ts";
import { type Check, failed, ok } from "../../../components/stack/check.ts";

/** Checks what affects runs on this machine whatever the fleet is: its disks, and the files of mngr's agents. */
export function machineChecks(paths: InstallationPaths, env: NodeJS.ProcessEnv = process.env): Check[] {
  const { jobs } = installedJobs(paths);
  const own = mngrHostDir({ HOME: homedir(), ...env });
  const hostDirs = [
    own,
    ...jobs.flatMap(({ mngrProfile }) => (mngrProfile === undefined ? [] : `${own}-${mngrProfile}`)),
  ];
  const repos = jobs.flatMap(({ repo }) => (isAbsolute(repo) ? [repo] : []));
  return [diskCheck([dirname(paths.root), own, ...repos]), ...agentChecks([...new Set(hostDirs)])];
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
