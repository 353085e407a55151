import { cpSync } from "node:fs";
import type { Docker, Labels } from "../../../components/docker/client.ts";
import { hostIdLabel } from "../../../components/web/docker/names.ts";
import type { MngrWorld, WorldHost } from "./mngr-world.ts";

/** Docker with the containers and volumes of that world. Its images are the world's snapshots. */
export function dockerOf(world: MngrWorld): Docker {
  const unexpected = () => {
    throw new Error("Docker is asked for something that no web agent needs");
  };
  const labelsOf = (host: WorldHost): Labels => ({ ...host.labels, [hostIdLabel]: host.id });
  const hasAll = (labels: Labels, wanted: Labels) =>
    Object.entries(wanted).every(([key, value]) => labels[key] === value);
  const containers = (labels: Labels) => world.hosts.filter((host) => hasAll(labelsOf(host), labels));
  const removeImage = (id: string) => {
    for (const host of world.hosts) host.snapshots = host.snapshots.filter((each) => each.id !== id);
  };
  return {
    ping: async () => {},
    createVolume: async (name, labels) => world.createVolume(name, labels),
    deleteVolume: async (name) => void world.volumes.delete(name),
    hasVolume: async (name) => world.volumes.has(name),
    download: async (volume, folder) => cpSync(world.volumeFolder(volume), folder, { recursive: true }),
    async valuesOf(label, on, labels) {
      const all = on === "container" ? world.hosts.map(labelsOf) : [...world.volumes.values()];
      return all.filter((each) => hasAll(each, labels)).flatMap((each) => each[label] ?? []);
    },
    running: async (labels) => containers(labels).flatMap(({ id, state }) => (state === "RUNNING" ? [id] : [])),
    async stop(ids) {
      for (const host of world.hosts) if (ids.includes(host.id)) world.endHost(host);
    },
    async removeContainers(labels) {
      for (const host of containers(labels)) world.endHost(host);
    },
    removeImages: async () => {},
    removeImage: async (id) => removeImage(id),
    exec: unexpected,
    volumesOf: unexpected,
    removeContainer: unexpected,
  };
}
