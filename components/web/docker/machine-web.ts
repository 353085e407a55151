import { dockerClient } from "../../docker/client.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { readRecords, recordsHere } from "../agent/record.ts";
import type { WebRecords } from "../life-cycle/agent-host.ts";
import type { WebAgents } from "../life-cycle/web-agents.ts";
import type { MachineWeb } from "../machine/machine-web.ts";
import { dataVolumeBeside, firstRecord } from "../machine/records.ts";
import { dockerMachines } from "./docker-machines.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";
import { dockerVolumeNames } from "./names.ts";

/**
 * The context for managing web agents in Docker.
 * @param mngrProfile the profile that they run in; undefined for the user's own
 */
export function dockerWeb(mngrProfile: string | undefined, { installation, paths, env, log }: WebAgents): MachineWeb {
  const mngr = mngrOnDocker(mngrProfile, process.env);
  return {
    ...{ installation, paths, env, log, mngr },
    provider: "docker",
    where: "in Docker",
    labels: { changelings_installation: installation },
    records: dockerRecords(installation, paths),
    machines: dockerMachines(dockerClient(process.env), { mngr, installation }),
  };
}

export function dockerRecords(installation: string, paths: InstallationPaths): WebRecords {
  const namesFor = (each: string) => dockerVolumeNames(installation, each);
  return {
    ...recordsHere("docker", paths),
    first: async (name) => firstRecord(name, namesFor, readRecords(paths)),
    dataBeside: dataVolumeBeside,
  };
}
