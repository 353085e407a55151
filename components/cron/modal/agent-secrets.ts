import * as z from "zod/mini";
import { inParallel, modalWidth } from "../../lib/parallel.ts";
import type { Modal } from "../../modal/types.ts";
import type { RunsOf } from "./end-runs.ts";

type Client = Pick<Modal, "volumes" | "files" | "readFile" | "removeFile" | "sandboxes">;

/** A host's volume in mngr 0.3.0, as far as its name identifies it. */
interface HostVolume {
  readonly name: string;
  /** Digits of the host's id; a prefix if mngr truncated the name. */
  readonly digits: string;
}

/** mngr's own record of a host, which agents can't write. */
const hostRecord = z.object({
  certified_host_data: z.object({ host_id: z.string(), user_tags: z.catch(z.record(z.string(), z.string()), {}) }),
});

/** The first line of a file from which the watcher removed the secrets; see program/remove-secrets.sh. */
const cleaned = "# without secrets";

/**
 * Removes the environment files of a changeling's kept agents from their hosts' volumes. The watcher removes the
 * secrets when a run ends; this covers agents that ended without being watched.
 * @throws ModalError
 */
export async function removeAgentSecrets(client: Client, { stack, environment, changeling }: RunsOf): Promise<void> {
  for (const { name, tags } of await stoppedHosts(client, environment)) {
    if (tags?.["changeling"] !== changeling || tags["changelings_stack"] !== stack) continue;
    for (const path of await uncleanedFiles(client, environment, name)) {
      await client.removeFile(name, environment, path);
    }
  }
}

export interface StoppedHost {
  /** Name of its volume. */
  readonly name: string;
  /** The labels it was created with; undefined if mngr has no record of it. */
  readonly tags: Readonly<Record<string, string>> | undefined;
}

/** mngr's hosts that are not running but have a volume. @throws ModalError */
export async function stoppedHosts(client: Client, environment: string): Promise<StoppedHost[]> {
  const names = (await client.volumes(environment)).map(({ name }) => name);
  const volumes = hostVolumes(names);
  if (volumes.length === 0) return [];
  const running = new Set((await client.sandboxes(environment, {})).map(({ tags }) => tags["mngr_host_id"]));
  const tagsById = new Map<string, Readonly<Record<string, string>>>();
  for (const state of names.filter((name) => name.endsWith("-state"))) {
    const files = (await client.files(state, environment, "hosts")).filter(({ path }) =>
      volumes.some(({ digits }) => path.startsWith(`hosts/host-${digits}`) && path.endsWith(".json")),
    );
    const records = await inParallel(files, modalWidth, ({ path }) => client.readFile(state, environment, path));
    for (const text of records) {
      const host = hostRecord.safeParse(parsed(text ?? "")).data?.certified_host_data;
      if (host !== undefined) tagsById.set(host.host_id, host.user_tags);
    }
  }
  return volumes.flatMap(({ name, digits }) => {
    const isOf = (id: string | undefined) => id?.startsWith(`host-${digits}`) === true;
    if ([...running].some(isOf)) return [];
    const [, tags] = [...tagsById].find(([id]) => isOf(id)) ?? [];
    return { name, tags };
  });
}

export function hostVolumes(names: readonly string[]): HostVolume[] {
  return names.flatMap((name) => {
    const [, digits] = /vol-([0-9a-f]{12,32})$/.exec(name) ?? [];
    return digits === undefined ? [] : [{ name, digits }];
  });
}

/** The environment files on a host's volume that may still contain secrets. */
export async function uncleanedFiles(client: Client, environment: string, volume: string): Promise<string[]> {
  const agents = (await client.files(volume, environment, "agents")).filter(({ isFolder }) => isFolder);
  const paths = ["env", ...agents.map(({ path }) => `${path}/env`)];
  const texts = await inParallel(paths, modalWidth, (path) => client.readFile(volume, environment, path));
  return paths.filter((_, index) => texts[index] !== undefined && texts[index]?.startsWith(cleaned) === false);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
