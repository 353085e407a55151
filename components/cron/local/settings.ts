import { availableParallelism } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { removeFile, writeInstalled } from "../../host/installed-file.ts";

/** The scheduler's settings besides its jobs. It reads them on start, so a writer must restart it. */

const settings = z.object({ maxRunsAtOnce: z.number() });

/** @param maxRunsAtOnce undefined: the default */
export function writeSettings(paths: InstallationPaths, maxRunsAtOnce: number | undefined): void {
  if (maxRunsAtOnce === undefined) removeFile(settingsPath(paths));
  else writeInstalled(settingsPath(paths), { maxRunsAtOnce });
}

export function maxRunsAtOnce(paths: InstallationPaths): number {
  const read = settings.safeParse(readJsonOrNull(settingsPath(paths)));
  return read.success ? read.data.maxRunsAtOnce : Math.max(2, availableParallelism());
}

function settingsPath(paths: InstallationPaths): string {
  return join(paths.scheduler, "settings.json");
}
