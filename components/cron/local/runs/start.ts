import { readTextIfAny, writePrivateFile } from "../../../host/files.ts";
import type { RunFiles } from "./plan.ts";
import type { Prepared } from "./repository.ts";
import { refsOf } from "./work.ts";

/** The baseline for a run's work: the ref that it started from, and all refs of the repository at that time. */

/** @throws GitError */
export async function recordStart(
  files: RunFiles,
  { folder, base, warnings }: Prepared,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  writePrivateFile(files.base, base.ref);
  writePrivateFile(files.refs, await refsOf(folder, env));
  if (warnings.length > 0) writePrivateFile(files.warnings, warnings.join("\n"));
}

/** Warnings about what the run started from. */
export function startWarnings(files: RunFiles): string[] {
  return (readTextIfAny(files.warnings) ?? "").split("\n").filter((line) => line !== "");
}

/** The commit that a run started from; undefined if unknown. */
export function baseCommitOf(files: RunFiles): string | undefined {
  const ref = baseRefOf(files);
  const line = readTextIfAny(files.refs)
    ?.split("\n")
    .find((each) => each.endsWith(` ${ref}`));
  return line?.split(" ", 1)[0];
}

/** The full ref that a run started from. */
export function baseRefOf(files: RunFiles): string {
  const base = readTextIfAny(files.base) ?? "";
  if (base.startsWith("refs/")) return base;
  // Runs of older versions recorded a short name, and no refs.
  return base.startsWith("origin/") ? `refs/remotes/${base}` : `refs/heads/${base}`;
}

/** For a run of an older version, which recorded no baseline: uses the current refs of others instead. */
export async function recordMissingStart(
  files: RunFiles,
  { folder, branch, base }: { readonly folder: string; readonly branch: string; readonly base: string | undefined },
  env: Readonly<Record<string, string>>,
): Promise<void> {
  if (readTextIfAny(files.refs) !== undefined) return;
  const others = (await refsOf(folder, env)).split("\n").filter((line) => !line.endsWith(`/${branch}`));
  writePrivateFile(files.refs, [...others, `${base} ${baseRefOf(files)}`, ""].join("\n"));
}
