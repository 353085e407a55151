import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { nodeName } from "./authentication.ts";

export interface NodeIdOptions {
  /** `SEED_NODE`. */
  readonly given?: string | undefined;
  /** Fly's `FLY_MACHINE_ID`. */
  readonly machine?: string | undefined;
  /** Where a generated id is saved: `SEED_DATA_DIR`. */
  readonly folder: string;
  readonly host?: string;
}

/**
 * This node's id: `SEED_NODE`, else Fly's machine id, else the host name with a random suffix that is saved on disk. Two
 * machines may have the same host name.
 *
 * @throws if a given id is not valid, or if a generated one can't be saved
 */
export async function nodeId({ given, machine, folder, host = hostname() }: NodeIdOptions): Promise<string> {
  for (const [name, id] of Object.entries({ SEED_NODE: given, FLY_MACHINE_ID: machine })) {
    if (id === undefined) continue;
    if (nodeName.safeParse(id).success) return id;
    throw new Error(`${name}: ${JSON.stringify(id)} is not valid: letters, digits, ".", "_" and "-", at most 63`);
  }
  const file = join(folder, "node");
  const saved = (await readFile(file, "utf8").catch(() => "")).trim();
  if (nodeName.safeParse(saved).success) return saved;
  const base = host.replace(/[^A-Za-z0-9.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "node";
  const id = `${base.slice(0, 50)}-${randomBytes(4).toString("hex")}`;
  await mkdir(folder, { recursive: true });
  await writeSynced(file, `${id}\n`);
  return id;
}

async function writeSynced(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    const handle = await open(aside, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
