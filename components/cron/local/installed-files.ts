import { statSync } from "node:fs";
import { join } from "node:path";
import { readJson } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { installedDrift, installedIn, writeInstalled } from "../../host/installed-file.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { digestOf, type JobFile, type JobSpec, jobFile } from "./job.ts";

/** The jobs that `pulumi up` installs for the scheduler. Each contains the digest of its content. */

export function jobPath(paths: InstallationPaths, name: string): string {
  return join(paths.jobs, `${name}.json`);
}

export function writeJob(paths: InstallationPaths, spec: JobSpec): void {
  writeInstalled(jobPath(paths, spec.name), { version: 1, digest: digestOf(spec), spec } satisfies JobFile);
}

/**
 * How an installed job differs from what was installed, in words; undefined if it does not.
 *
 * @param stated returns what was installed according to the stack's state, or undefined if that is not known. The
 * digest in the file is not enough: whoever edits the file can edit the digest too.
 */
export function jobDrift(
  paths: InstallationPaths,
  name: string,
  stated: (installed: JobSpec) => JobSpec | undefined,
): string | undefined {
  return installedDrift(jobPath(paths, name), "job file", (content) => {
    const parsed = jobFile.safeParse(content);
    if (!parsed.success || !isUntouched(parsed.data, name)) return false;
    const expected = stated(parsed.data.spec);
    return expected === undefined || digestOf(expected) === digestOf(parsed.data.spec);
  });
}

/** A job file that was changed after `pulumi up`. Its job is not fired. */
export interface JobProblem {
  readonly name: string;
  /** What is wrong, with the file's path and the command that repairs it. */
  readonly problem: string;
}

/** The installed jobs, sorted by name. */
export function installedJobs(paths: InstallationPaths): { jobs: JobSpec[]; problems: JobProblem[] } {
  const read = installedNames(paths).map((name) => readJob(paths, name));
  return {
    jobs: read.flatMap((each) => ("problem" in each ? [] : [each])),
    problems: read.flatMap((each) => ("problem" in each ? [each] : [])),
  };
}

/** The changelings that have a job file, whether valid or not. */
export function installedNames(paths: InstallationPaths): string[] {
  return installedIn(paths.jobs);
}

function readJob(paths: InstallationPaths, name: string): JobSpec | JobProblem {
  const path = jobPath(paths, name);
  const parsed = jobFile.safeParse(tryJson(path));
  if (!parsed.success) return { name, problem: `${path} is not a job file; repair it with: ${upCommand()}` };
  if (!isUntouched(parsed.data, name)) {
    return { name, problem: `${path} was edited by hand; repair it with: ${upCommand()}` };
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

export interface InstalledJob {
  readonly spec: JobSpec;
  /** When its file was written. Earlier due times are not caught up. Milliseconds since 1970. */
  readonly installedAt: number;
}

interface Known {
  readonly stamp: string;
  readonly job: InstalledJob | JobProblem;
}

/** The jobs of an installation. Files that have not changed since the last read are not read again. */
export class JobStore {
  readonly #paths: InstallationPaths;
  #known = new Map<string, Known>();

  constructor(paths: InstallationPaths) {
    this.#paths = paths;
  }

  /** @returns true if something changed */
  refresh(): boolean {
    const now = new Map<string, Known>();
    for (const name of installedNames(this.#paths)) {
      const status = statSync(jobPath(this.#paths, name), { throwIfNoEntry: false });
      if (status === undefined) continue;
      const stamp = `${status.ino} ${status.size} ${status.mtimeMs}`;
      const known = this.#known.get(name);
      now.set(name, known?.stamp === stamp ? known : { stamp, job: this.#read(name, status.mtimeMs) });
    }
    const before = this.#known;
    this.#known = now;
    return before.size !== now.size || [...now].some(([name, { stamp }]) => before.get(name)?.stamp !== stamp);
  }

  jobs(): InstalledJob[] {
    return [...this.#known.values()].flatMap(({ job }) => ("spec" in job ? [job] : []));
  }

  problems(): JobProblem[] {
    return [...this.#known.values()].flatMap(({ job }) => ("problem" in job ? [job] : []));
  }

  /** Whether a job has a file, valid or not. */
  has(name: string): boolean {
    return this.#known.has(name);
  }

  get(name: string): InstalledJob | undefined {
    const job = this.#known.get(name)?.job;
    return job !== undefined && "spec" in job ? job : undefined;
  }

  /** Treats the job as removed until its file changes. */
  forget(name: string): void {
    const known = this.#known.get(name);
    if (known !== undefined) this.#known.set(name, { ...known, job: { name, problem: "it is being removed" } });
  }

  #read(name: string, installedAt: number): InstalledJob | JobProblem {
    const job = readJob(this.#paths, name);
    return "problem" in job ? job : { spec: job, installedAt };
  }
}
