import { join } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull } from "../../../host/files.ts";
import { removeFile, writeInstalled } from "../../../host/installed-file.ts";

/**
 * `container.json` in the forwarding server's folder on this machine. It exists if the server runs in a container, and
 * clients need it to reach the server. Only `pulumi up` writes it.
 */
const installedContainer = z.object({
  version: z.literal(1),
  name: z.string(),
  /** The container's id, and the name of its image. */
  id: z.string(),
  image: z.string(),
});

export type InstalledContainer = z.infer<typeof installedContainer>;

/** @returns undefined if the server does not run in a container */
export function readContainer(folder: string): InstalledContainer | undefined {
  return installedContainer.safeParse(readJsonOrNull(containerPath(folder))).data;
}

export function writeContainer(folder: string, container: Omit<InstalledContainer, "version">): void {
  writeInstalled(containerPath(folder), { version: 1, ...container });
}

/** Succeeds if it is already gone. */
export function removeContainerFile(folder: string): void {
  removeFile(containerPath(folder));
}

function containerPath(folder: string): string {
  return join(folder, "container.json");
}
