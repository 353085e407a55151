import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Modal } from "../../../components/modal/types.ts";
import { hostIdTag, hostNameTag, labelTag } from "../../../components/web/modal/mngr-on-modal.ts";
import type { MngrWorld, WorldHost } from "./mngr-world.ts";

type Used =
  | ("createVolume" | "deleteVolume" | "volumes" | "files" | "readFile" | "download" | "writeFiles" | "removeFile")
  | ("sandboxes" | "endSandboxes" | "deleteImage");

/** What web agents use of Modal, with the sandboxes and volumes of that world. Its images are the world's snapshots. */
export function modalOf(world: MngrWorld): Pick<Modal, Used> {
  const tagsOf = (host: WorldHost): Record<string, string> => ({
    [hostIdTag]: host.id,
    [hostNameTag]: host.name,
    ...Object.fromEntries(Object.entries(host.labels).map(([label, value]) => [labelTag(label), value])),
  });
  const running = (tags: Readonly<Record<string, string>>) =>
    world.hosts.filter((host) => {
      const own = tagsOf(host);
      return host.state === "RUNNING" && Object.entries(tags).every(([key, value]) => own[key] === value);
    });
  const at = (volume: string, path: string) => join(world.volumeFolder(volume), path);
  return {
    createVolume: async (name) => world.createVolume(name),
    deleteVolume: async (name) => void world.volumes.delete(name),
    volumes: async () => [...world.volumes.keys()].map((name) => ({ id: name, name })),
    async files(volume, _environment, folder) {
      if (!existsSync(at(volume, folder))) return [];
      return readdirSync(at(volume, folder), { withFileTypes: true }).map((entry) => ({
        ...{
          path: join(folder, entry.name).replace(/^\//, ""),
          isFolder: entry.isDirectory(),
          modifiedAt: 0,
          bytes: 0,
        },
      }));
    },
    readFile: async (volume, _environment, path) =>
      existsSync(at(volume, path)) ? readFileSync(at(volume, path), "utf8") : undefined,
    download: async (volume, _environment, path, folder) => cpSync(at(volume, path), folder, { recursive: true }),
    async writeFiles(volume, _environment, files) {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(at(volume, path)), { recursive: true });
        writeFileSync(at(volume, path), text);
      }
    },
    removeFile: async (volume, _environment, path) => rmSync(at(volume, path), { recursive: true, force: true }),
    sandboxes: async (_environment, tags) => running(tags).map((host) => ({ id: host.id, tags: tagsOf(host) })),
    async endSandboxes(_environment, tags) {
      const ended = running(tags);
      for (const host of ended) world.endHost(host);
      return ended.map(tagsOf);
    },
    async deleteImage(id) {
      for (const host of world.hosts) host.snapshots = host.snapshots.filter((each) => each.id !== id);
    },
  };
}
