import { join } from "node:path";
import type { InstallationPaths } from "../../host/installation-paths.ts";

/** The session service's files: its state, its log, and the sessions themselves. */
export function sessionsFolder({ sandboxes }: Pick<InstallationPaths, "sandboxes">): string {
  return join(sandboxes, "sessions");
}
