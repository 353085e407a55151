import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { writePrivateFile } from "./files.ts";
import { canonicalJson, digestOf, type JobFile, type JobSpec, jobFile } from "./job.ts";
import type { InstallationPaths } from "./paths.ts";

/** Files that `pulumi up` installs for the scheduler: a job and its secrets. Each carries the digest of its content. */

/** Values of one changeling's secrets, by the name of their variable. */
export const secretsFile = z.strictObject({ digest: z.string(), values: z.record(z.string(), z.string()) });

export function jobPath(paths: InstallationPaths, name: string): string {
  return join(paths.jobs, `${name}.json`);
}

export function secretsPath(paths: InstallationPaths, name: string): string {
  return join(paths.secrets, `${name}.json`);
}

export function writeJob(paths: InstallationPaths, spec: JobSpec): void {
  writePrivately(jobPath(paths, spec.name), { version: 1, digest: digestOf(spec), spec } satisfies JobFile);
}

export function writeSecrets(paths: InstallationPaths, name: string, values: Record<string, string>): void {
  writePrivately(secretsPath(paths, name), { digest: digestOfValues(values), values });
}

/** How an installed job differs from what was installed, in words; undefined when it does not. */
export function jobDrift(paths: InstallationPaths, name: string): string | undefined {
  return drift(jobPath(paths, name), "job file", (content) => {
    const parsed = jobFile.safeParse(content);
    return parsed.success && parsed.data.spec.name === name && parsed.data.digest === digestOf(parsed.data.spec);
  });
}

/** The same of its secrets. */
export function secretsDrift(paths: InstallationPaths, name: string): string | undefined {
  return drift(secretsPath(paths, name), "secrets file", (content) => {
    const parsed = secretsFile.safeParse(content);
    return parsed.success && parsed.data.digest === digestOfValues(parsed.data.values);
  });
}

function drift(path: string, what: string, isAsInstalled: (content: unknown) => boolean): string | undefined {
  try {
    if ((statSync(path).mode & 0o077) !== 0) return `its ${what} can be read by others`;
    return isAsInstalled(JSON.parse(readFileSync(path, "utf8"))) ? undefined : `its ${what} was edited by hand`;
  } catch (error) {
    if (error instanceof SyntaxError) return `its ${what} was edited by hand`;
    const code = error instanceof Error && "code" in error ? error.code : error;
    return code === "ENOENT" ? `its ${what} is missing` : `its ${what} can't be read (${code})`;
  }
}

/** Salted by nothing: the file beside it holds the values themselves. */
function digestOfValues(values: Record<string, string>): string {
  return createHash("sha256").update(canonicalJson(values)).digest("hex");
}

function writePrivately(path: string, content: object): void {
  writePrivateFile(path, `${JSON.stringify(content, null, 2)}\n`);
}

/** Succeeds when it is already gone. */
export function removeFile(path: string): void {
  rmSync(path, { force: true });
}

/** The jobs that are installed as `pulumi up` left them, by name; a file that is not a job is passed over. */
export function installedJobs(paths: InstallationPaths): JobSpec[] {
  if (!existsSync(paths.jobs)) return [];
  return readdirSync(paths.jobs)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .flatMap((file) => readJob(join(paths.jobs, file)) ?? []);
}

function readJob(path: string): JobSpec | undefined {
  try {
    return jobFile.parse(JSON.parse(readFileSync(path, "utf8"))).spec;
  } catch {
    // `jobDrift` tells of it, and the next `up` mends it.
    return undefined;
  }
}
