import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import * as z from "zod/mini";
import { canonicalJson } from "../canonical-json.ts";
import { isMissing, readJson, writePrivateFile } from "./files.ts";
import { digestOf, type JobFile, type JobSpec, jobFile } from "./job.ts";
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
    return parsed.success && isUntouched(parsed.data, name);
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

/** A job file that is not as `pulumi up` left it: its job is not fired. */
export interface JobFault {
  readonly name: string;
  /** What is wrong, with the file's path and the command that mends it. */
  readonly problem: string;
}

/** What is installed, in the order of the names. */
export function installedJobs(paths: InstallationPaths): { jobs: JobSpec[]; faults: JobFault[] } {
  const read = installedNames(paths).map((name) => readJob(paths, name));
  return {
    jobs: read.flatMap((each) => ("problem" in each ? [] : [each])),
    faults: read.flatMap((each) => ("problem" in each ? [each] : [])),
  };
}

/** The changelings that have a job file, whatever is in it. */
export function installedNames(paths: InstallationPaths): string[] {
  try {
    const files = readdirSync(paths.jobs).filter((file) => /^[^.].*\.json$/.test(file));
    return files.map((file) => basename(file, ".json")).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

export function readJob(paths: InstallationPaths, name: string): JobSpec | JobFault {
  const path = jobPath(paths, name);
  const parsed = jobFile.safeParse(tryJson(path));
  if (!parsed.success) return { name, problem: `${path} is not a job file; mend it with: pulumi up` };
  if (!isUntouched(parsed.data, name)) {
    return { name, problem: `${path} was edited by hand; mend it with: pulumi up` };
  }
  return parsed.data.spec;
}

function isUntouched({ spec, digest }: JobFile, name: string): boolean {
  return spec.name === name && digest === digestOf(spec);
}

function tryJson(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    return undefined;
  }
}
