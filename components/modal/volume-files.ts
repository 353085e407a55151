import type { ModalRpc } from "./rpc.ts";
import type { Modal } from "./types.ts";

/** Read-only access to the files of volumes. */
export type VolumeFiles = Pick<Modal, "files" | "readFile">;

/** FileType and VolumeFsVersion in Modal's protocol, which the SDK does not export. */
const folderType = 2;
const secondVersion = 2;

interface Entry {
  readonly path: string;
  readonly type: number;
  readonly mtime: number;
  readonly size: number;
}

export function volumeFiles({ find }: ModalRpc): VolumeFiles {
  const volumeOf = (name: string, environment: string) =>
    find(`the volume ${name}`, ({ cpClient }, options) =>
      cpClient.volumeGetOrCreate({ deploymentName: name, environmentName: environment }, options),
    );
  return {
    async files(volume, environment, folder) {
      const found = await volumeOf(volume, environment);
      if (found === undefined) return [];
      const { volumeId, version } = found;
      const entries = await find(`${folder} on the volume ${volume}`, async ({ cpClient }, options) => {
        const request = { volumeId, path: folder, recursive: false };
        const list = version === secondVersion ? cpClient.volumeListFiles2 : cpClient.volumeListFiles;
        const found: Entry[] = [];
        for await (const { entries } of list(request, options)) found.push(...entries);
        return found;
      });
      return (entries ?? []).map(({ path, type, mtime, size }) => ({
        path: path.replace(/^\//, ""),
        isFolder: type === folderType,
        modifiedAt: mtime,
        bytes: size,
      }));
    },
    async readFile(volume, environment, path) {
      const found = await volumeOf(volume, environment);
      if (found === undefined) return undefined;
      return await find(`${path} on the volume ${volume}`, async ({ cpClient }, { signal }) => {
        const { getUrls } = await cpClient.volumeGetFile2({ volumeId: found.volumeId, path }, { signal });
        const blocks = await Promise.all(getUrls.map((url) => block(url, signal)));
        return Buffer.concat(blocks).toString("utf8");
      });
    },
  };
}

async function block(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`a block of the file could not be fetched (HTTP status ${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}
