import { createHash } from "node:crypto";
import type { ModalClient } from "modal";
import type { ModalRpc } from "./rpc.ts";
import type { Modal } from "./types.ts";

/** Access to the files of volumes. */
export type VolumeFiles = Pick<Modal, "files" | "readFile" | "writeFiles" | "removeFile">;

/** FileType and VolumeFsVersion in Modal's protocol, which the SDK does not export. */
const folderType = 2;
const secondVersion = 2;

interface Entry {
  readonly path: string;
  readonly type: number;
  readonly mtime: number;
  readonly size: number;
}

export function volumeFiles({ ask, find }: ModalRpc): VolumeFiles {
  const volumeOf = (name: string, environment: string) =>
    find(`the volume ${name}`, ({ cpClient }, options) => lookUp(cpClient, { volume: name, environment }, options));
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
    async writeFiles(volume, environment, texts) {
      const files = Object.entries(texts).map(([path, text]) => ({ path, data: Buffer.from(text) }));
      await ask(`files on the volume ${volume}`, async ({ cpClient }, options) => {
        const { volumeId, version } = await lookUp(cpClient, { volume, environment }, options);
        const put = version === secondVersion ? putInBlocks : putWhole;
        await put(cpClient, { volumeId, files }, options);
      });
    },
    async removeFile(volume, environment, path) {
      await find(`the end of ${path} on the volume ${volume}`, async ({ cpClient }, options) => {
        const { volumeId, version } = await lookUp(cpClient, { volume, environment }, options);
        const remove = version === secondVersion ? cpClient.volumeRemoveFile2 : cpClient.volumeRemoveFile;
        await remove({ volumeId, path, recursive: true }, options);
      });
    },
  };
}

function lookUp(
  client: ModalClient["cpClient"],
  { volume, environment }: { readonly volume: string; readonly environment: string },
  options: { signal: AbortSignal },
) {
  return client.volumeGetOrCreate({ deploymentName: volume, environmentName: environment }, options);
}

async function block(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`a block of the file could not be fetched (HTTP status ${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

interface Upload {
  readonly volumeId: string;
  readonly files: readonly { readonly path: string; readonly data: Buffer }[];
}

type Put = (client: ModalClient["cpClient"], upload: Upload, options: { signal: AbortSignal }) => Promise<void>;

const mode = 0o644;
const disallowOverwriteExistingFiles = false;

/** Like Modal's own client, for volumes of version 1: first the contents, by digest, then the files. */
const putWhole: Put = async (client, { volumeId, files }, options) => {
  const put = files.map(async ({ path: filename, data }) => {
    const sha256Hex = createHash("sha256").update(data).digest("hex");
    for (let exists = false; !exists; ) ({ exists } = await client.mountPutFile({ sha256Hex, data }, options));
    return { filename, sha256Hex, mode };
  });
  await client.volumePutFiles({ volumeId, files: await Promise.all(put), disallowOverwriteExistingFiles }, options);
};

/** A larger file has several blocks, which small ones never need. */
const largestBlock = 8 * 1024 * 1024;

/** Like Modal's own client, for volumes of version 2: the server names the contents that it lacks, then gets the rest. */
const putInBlocks: Put = async (client, { volumeId, files }, { signal }) => {
  const answers = new Map<string, Uint8Array>();
  const large = files.find(({ data }) => data.length > largestBlock);
  if (large !== undefined) throw new Error(`${large.path} is larger than ${largestBlock} bytes`);
  const attempt = async () => {
    const described = files.map(({ path, data }) => {
      const contentsSha256 = createHash("sha256").update(data).digest();
      const putResponse = answers.get(path);
      return { path, size: data.length, mode, blocks: data.length === 0 ? [] : [{ contentsSha256, putResponse }] };
    });
    const request = { volumeId, files: described, disallowOverwriteExistingFiles };
    return (await client.volumePutFiles2(request, { signal })).missingBlocks;
  };
  const missing = await attempt();
  if (missing.length === 0) return;
  const puts = missing.map(async ({ fileIndex, putUrl }) => {
    const file = files[fileIndex];
    if (file === undefined) throw new Error(`the server lacks a block of a file that was not sent: ${fileIndex}`);
    const response = await fetch(putUrl, { method: "PUT", body: new Uint8Array(file.data), signal });
    if (!response.ok) throw new Error(`a block of ${file.path} could not be sent (HTTP status ${response.status})`);
    answers.set(file.path, new Uint8Array(await response.arrayBuffer()));
  });
  await Promise.all(puts);
  const left = await attempt();
  if (left.length > 0) throw new Error(`the server still lacks blocks of ${left.length} files`);
};
