import type { Modal } from "../../components/modal/types.ts";

export interface VolumeInMemory {
  readonly client: Pick<Modal, "files" | "readFile">;
  /** Texts by path; tests change them. */
  readonly files: Map<string, string>;
  /** The paths read, in order. */
  readonly reads: string[];
}

/** A read-only Modal volume. */
export function volumeInMemory(files: Readonly<Record<string, string>>): VolumeInMemory {
  const held = new Map(Object.entries(files));
  const reads: string[] = [];
  return {
    files: held,
    reads,
    client: {
      async files(_volume, _environment, folder) {
        const prefix = folder === "/" ? "" : `${folder}/`;
        const below = [...held].filter(([path]) => path.startsWith(prefix));
        const found = below.map(([path, text]) => {
          const [first = "", ...rest] = path.slice(prefix.length).split("/");
          const isFolder = rest.length > 0;
          return { path: prefix + first, isFolder, modifiedAt: 0, bytes: isFolder ? 0 : Buffer.byteLength(text) };
        });
        return [...new Map(found.map((each) => [each.path, each])).values()];
      },
      async readFile(_volume, _environment, path) {
        reads.push(path);
        return held.get(path);
      },
    },
  };
}
