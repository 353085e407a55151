import { closest, distance } from "fastest-levenshtein";
import { installedJobs } from "../../components/cron/local/installed-files.ts";
import type { InstallationPaths } from "../../components/cron/local/paths.ts";

/** @throws with "did you mean" when no such changeling is deployed */
export function requireInstalled(paths: InstallationPaths, name: string): void {
  const names = installedJobs(paths).map((job) => job.name);
  if (names.includes(name)) return;
  if (names.length === 0)
    throw new Error("no changeling is deployed on this stack; apply one with: npm run pulumi -- up");
  const nearest = closest(name, names);
  const hint = distance(name, nearest) <= 3 ? `did you mean ${nearest}?` : `deployed are: ${names.join(", ")}`;
  throw new Error(`no changeling "${name}" is deployed on this stack; ${hint}`);
}
