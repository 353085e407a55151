import * as z from "zod/mini";
import type { Docker } from "../../docker/client.ts";

/**
 * Labels that mngr's Docker plugin 0.1.0 sets on the container for its host records, which are on a separate volume.
 */
const stateLabels = { "com.imbue.mngr.type": "state-container" };

/**
 * Prints the records, each after a record separator.
 * @throws (exit status 3) if the volume holds anything else
 */
const readRecords = `cd /mngr-state || exit 3
for each in * .[!.]*; do
  case $each in host_state | '*' | '.[!.]*') ;; *) exit 3 ;; esac
done
for each in host_state/*.json; do
  [ ! -e "$each" ] || { printf '\\036' && cat "$each"; } || exit 3
done`;

const hostRecord = z.object({
  certified_host_data: z.object({
    stop_reason: z.optional(z.nullable(z.string())),
    user_tags: z.record(z.string(), z.string()),
  }),
});

/**
 * Removes the container and the volume in which mngr keeps its records of Docker machines, if they hold only destroyed
 * machines of changelings, at least one of them from this installation. mngr recreates them on demand. They are kept if
 * they hold any of the user's own machines, running or destroyed.
 *
 * @returns the volumes that were removed
 * @throws DockerError
 */
export async function removeMngrState(
  docker: Pick<Docker, "deleteVolume" | "exec" | "removeContainer" | "running" | "volumesOf">,
  installation: string,
): Promise<string[]> {
  const removed: string[] = [];
  for (const container of await docker.running(stateLabels)) {
    if (!isOnlyOurs(await docker.exec(container, readRecords), installation)) continue;
    const volumes = await docker.volumesOf(container);
    await docker.removeContainer(container);
    for (const volume of volumes) await docker.deleteVolume(volume);
    removed.push(...volumes);
  }
  return removed;
}

/** @param printed the output of `readRecords`; undefined if it failed */
export function isOnlyOurs(printed: string | undefined, installation: string): boolean {
  const records = (printed ?? "").split("\x1e").slice(1).map(tagsOfDestroyed);
  const isOfChangelings = (tags: Tags) => tags?.["CREATOR"] === "changeling" && "changelings_installation" in tags;
  return records.every(isOfChangelings) && records.some((tags) => tags?.["changelings_installation"] === installation);
}

type Tags = Readonly<Record<string, string>> | undefined;

/** @returns undefined for a machine that is not destroyed, and for an unreadable record */
function tagsOfDestroyed(text: string): Tags {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = z.safeParse(hostRecord, json);
  return data?.certified_host_data.stop_reason === "DESTROYED" ? data.certified_host_data.user_tags : undefined;
}
