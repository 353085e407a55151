import { join } from "node:path";
import * as z from "zod/mini";
import { sources as sourcesSchema, type Version, version } from "../domain.ts";
import { sourcesHash } from "../sources-hash.ts";
import { Corrupt, isFolder, makeFolder, readRegular, syncFolder, writeNew } from "./files.ts";
import { sealed, sha256, unsealed } from "./sealed.ts";

/**
 * A version is a folder of four files. Its sources are in one JSON file, because the author of a change, who may be hostile,
 * chooses their paths.
 */
const names = { manifest: "version.json", sources: "sources.json", bundle: "bundle.cjs", tests: "tests.cjs" } as const;

const { sources: _sources, bundle: _bundle, testBundle: _testBundle, ...rest } = version.shape;
const manifest = z.object({
  // A later release may add fields.
  ...rest,
  /** The SHA-256 of each file. */
  files: z.record(z.string(), z.string()),
});

/** @throws Error if its hash is not that of its sources */
export async function writeVersion(folder: string, given: Version): Promise<void> {
  const { sources, bundle, testBundle, ...data } = given;
  if (sourcesHash(sources) !== given.hash) throw new Error(`the hash of ${given.id} is not that of its sources`);
  const files: readonly (readonly [string, string])[] = [
    [names.sources, JSON.stringify(sources, null, 2)],
    [names.bundle, bundle],
    ...(testBundle === undefined ? [] : [[names.tests, testBundle] as const]),
  ];
  await makeFolder(folder);
  for (const [name, text] of files) await writeNew(join(folder, name), text);
  const hashes = Object.fromEntries(files.map(([name, text]) => [name, sha256(toUtf8(text))]));
  await writeNew(join(folder, names.manifest), sealed({ ...data, files: hashes }));
  await syncFolder(folder);
}

/** @throws Corrupt with the reason */
export async function readVersion(folder: string, id: string): Promise<Version> {
  if (!(await isFolder(folder))) throw new Corrupt("it is not a folder");
  const text = await read(folder, names.manifest);
  const { files, ...data } = await inFile(names.manifest, () => unsealed(text, manifest));
  if (data.id !== id) throw new Corrupt(`${names.manifest}: it belongs to ${data.id}`);
  const verified = async (name: string): Promise<string> => {
    const content = await read(folder, name);
    if (sha256(content) !== files[name]) throw new Corrupt(`${name}: its checksum is wrong`);
    return content;
  };
  const sources = toSources(await verified(names.sources));
  if (sourcesHash(sources) !== data.hash) throw new Corrupt(`${names.sources}: it does not have the version's hash`);
  const bundle = await verified(names.bundle);
  return files[names.tests] === undefined
    ? { ...data, sources, bundle }
    : { ...data, sources, bundle, testBundle: await verified(names.tests) };
}

/** The checksum was right, but anybody can compute one, so the form is checked too. */
function toSources(text: string): Version["sources"] {
  try {
    return sourcesSchema.parse(JSON.parse(text));
  } catch {
    throw new Corrupt(`${names.sources}: it has an unknown form`);
  }
}

/** Half a surrogate pair can't be written as UTF-8. */
function toUtf8(text: string): string {
  return text.toWellFormed();
}

async function read(folder: string, name: string): Promise<string> {
  return await inFile(name, async () => {
    const text = await readRegular(join(folder, name));
    if (text === undefined) throw new Corrupt("it is missing");
    return text;
  });
}

async function inFile<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Corrupt ? new Corrupt(`${name}: ${error.message}`) : error;
  }
}
