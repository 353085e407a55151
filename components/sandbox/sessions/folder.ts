import { join } from "node:path";
import { readJson } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { type ServiceFile, serviceFile } from "./protocol.ts";

/** The folder of the session service: its state, its log, and the sessions themselves. */
export function sessionsFolder({ sandboxes }: Pick<InstallationPaths, "sandboxes">): string {
  return join(sandboxes, "sessions");
}

/** The worker's main module in `components/`, without extension. */
export const workerProgram = "sandbox/sessions/worker/main";

export function serviceFilePath(folder: string): string {
  return join(folder, "service.json");
}

/** @returns undefined if no service was started in this folder yet */
export function readServiceFile(folder: string): ServiceFile | undefined {
  try {
    return serviceFile.safeParse(readJson(serviceFilePath(folder))).data;
  } catch {
    // The service writes it atomically, so a damaged file is not the service's.
    return undefined;
  }
}
