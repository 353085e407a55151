import { dockerClient } from "../../docker/client.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { readRecord, readRecords, removeRecord, type WebRecord, writeRecord } from "../agent/record.ts";
import type { WebAgents } from "../local/records.ts";
import type { MachineRecords, MachineWeb } from "../machine/machine-web.ts";
import { freeVolumes } from "../machine/records.ts";
import { dockerMachines } from "./docker-machines.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";
import { dockerVolumeNames } from "./place.ts";

/**
 * What managing web agents in Docker needs.
 * @param mngrProfile the profile that they run in; undefined for the person's own
 */
export function dockerWeb(mngrProfile: string | undefined, { installation, paths, env, log }: WebAgents): MachineWeb {
  const mngr = mngrOnDocker(mngrProfile, process.env);
  return {
    ...{ installation, paths, env, log, mngr },
    provider: "docker",
    place: "in Docker",
    labels: { changelings_installation: installation },
    records: dockerRecords(installation, paths),
    machines: dockerMachines(dockerClient(process.env), { mngr, installation }),
  };
}

/** Ignores the record of an agent with another provider. */
export function dockerRecord(paths: InstallationPaths, name: string): WebRecord | undefined {
  const record = readRecord(paths, name);
  return record?.provider === "docker" ? record : undefined;
}

function dockerRecords(installation: string, paths: InstallationPaths): MachineRecords {
  return {
    read: async (name) => dockerRecord(paths, name),
    write: async (record) => writeRecord(paths, record),
    async remove(name) {
      if (dockerRecord(paths, name) !== undefined) removeRecord(paths, name);
    },
    volumesFor: async (name) => freeVolumes(name, (each) => dockerVolumeNames(installation, each), readRecords(paths)),
  };
}
