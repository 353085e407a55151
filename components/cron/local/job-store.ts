import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { isMissing, readJson } from "./files.ts";
import { digestOf, type JobSpec, jobFile } from "./job.ts";
import type { InstallationPaths } from "./paths.ts";

export interface InstalledJob {
  readonly spec: JobSpec;
  /** When its file was written: nothing that was due before is made up for. Milliseconds since 1970. */
  readonly installedAt: number;
}

/** A job file that is not as `pulumi up` left it: its job is not fired. */
export interface JobFault {
  readonly name: string;
  readonly problem: string;
}

interface Known {
  readonly stamp: string;
  readonly job: InstalledJob | JobFault;
}

/** The jobs of an installation. Files that did not change since the last look are not read again. */
export class JobStore {
  readonly #paths: InstallationPaths;
  #known = new Map<string, Known>();

  constructor(paths: InstallationPaths) {
    this.#paths = paths;
  }

  /** @returns true when something changed */
  refresh(): boolean {
    const now = new Map<string, Known>();
    for (const file of jobFiles(this.#paths)) {
      const name = basename(file, ".json");
      const path = join(this.#paths.jobs, file);
      const status = statSync(path, { throwIfNoEntry: false });
      if (status === undefined) continue;
      const stamp = `${status.ino} ${status.size} ${status.mtimeMs}`;
      const known = this.#known.get(name);
      now.set(name, known?.stamp === stamp ? known : { stamp, job: readJob(path, name, status.mtimeMs) });
    }
    const before = this.#known;
    this.#known = now;
    return before.size !== now.size || [...now].some(([name, { stamp }]) => before.get(name)?.stamp !== stamp);
  }

  jobs(): InstalledJob[] {
    return [...this.#known.values()].flatMap(({ job }) => ("spec" in job ? [job] : []));
  }

  faults(): JobFault[] {
    return [...this.#known.values()].flatMap(({ job }) => ("problem" in job ? [job] : []));
  }

  get(name: string): InstalledJob | undefined {
    const job = this.#known.get(name)?.job;
    return job !== undefined && "spec" in job ? job : undefined;
  }

  /** Until its file changes, as if it were not there: it is being removed. */
  forget(name: string): void {
    const known = this.#known.get(name);
    if (known !== undefined) this.#known.set(name, { ...known, job: { name, problem: "it is being removed" } });
  }
}

function jobFiles(paths: InstallationPaths): string[] {
  try {
    return readdirSync(paths.jobs).filter((file) => /^[^.].*\.json$/.test(file));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function readJob(path: string, name: string, installedAt: number): InstalledJob | JobFault {
  const parsed = jobFile.safeParse(tryJson(path));
  if (!parsed.success) return { name, problem: `${path} is not a job file; mend it with: pulumi up` };
  const { spec, digest } = parsed.data;
  if (spec.name !== name || digest !== digestOf(spec)) {
    return { name, problem: `${path} was edited by hand; mend it with: pulumi up` };
  }
  return { spec, installedAt };
}

function tryJson(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    return undefined;
  }
}
