import { lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Docker } from "../../docker/client.ts";
import { buildArgsInside } from "../machine/build-context.ts";
import { declaredImage, type Machines, type MachineWeb } from "../machine/machine-web.ts";
import { addressOf } from "../machine/machines.ts";
import { containerArguments } from "./machine-arguments.ts";
import { hostIdLabel, hostLabel, labelsOfChangeling, stateFolder, stateVolumeName } from "./names.ts";

/** The machines of web agents in Docker, which are containers. */
export function dockerMachines(
  docker: Docker,
  { mngr, installation }: Pick<MachineWeb, "mngr" | "installation">,
): Machines {
  const labelsOf = (changeling: string) => labelsOfChangeling(installation, changeling);
  const hostsOf = async (changeling: string) => {
    const labels = labelsOf(changeling);
    const found = [
      ...(await docker.valuesOf(hostLabel, "container", labels)),
      // The state volume still exists if the container was removed by hand.
      ...(await docker.valuesOf(hostLabel, "volume", labels)),
    ];
    return [...new Set(found)];
  };
  const removeHost = async (host: string) => {
    const labels = { changelings_installation: installation, [hostLabel]: host };
    await docker.removeContainers(labels);
    await docker.removeImages(labels);
    await docker.deleteVolume(stateVolumeName(installation, host));
  };
  return {
    ensureVolume: (name, changeling) => docker.createVolume(name, labelsOf(changeling)),
    deleteVolume: (name) => docker.deleteVolume(name),
    async downloadRepo(volume, folder) {
      if (!(await docker.hasVolume(volume))) return false;
      await docker.download(volume, folder);
      if (lstatSync(join(folder, ".git"), { throwIfNoEntry: false }) !== undefined) return true;
      rmSync(folder, { recursive: true });
      return false;
    },
    async argumentsFor({ spec, host, repo, volumes }) {
      const labels = { ...labelsOf(spec.name), [hostLabel]: host };
      const state = stateVolumeName(installation, host);
      await docker.createVolume(state, labels);
      const folder = join(dirname(repo), "image");
      const buildArgs = buildArgsInside(declaredImage(spec), repo, "docker");
      const options = { buildArgs, repo, volumes: { ...volumes, [stateFolder]: state }, labels };
      const { dockerfile, ...given } = containerArguments(options, folder);
      if (dockerfile !== undefined) {
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, "Dockerfile"), dockerfile);
      }
      return given;
    },
    admittedKeys: async () => "",
    hostsOf,
    async sweep(changeling) {
      for (const host of await hostsOf(changeling)) await removeHost(host);
    },
    end: (hostId) => docker.removeContainers({ [hostIdLabel]: hostId }),
    async stop(agent) {
      const containers = await docker.running({ [hostIdLabel]: agent.host.id });
      if (containers.length === 0) return;
      // Stops the agent first, so that it can save its state before the container ends.
      await mngr.stop(addressOf(agent));
      await docker.stop(containers);
    },
    async destroy(host) {
      await mngr.destroyHost(host);
      // This includes resources that mngr does not know.
      await removeHost(host);
    },
    deleteSnapshot: (id) => docker.removeImage(id),
  };
}
