import { statSync } from "node:fs";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { installedNames, type JobFault, jobPath, readJob } from "./installed-files.ts";
import type { JobSpec } from "./job.ts";

export interface InstalledJob {
  readonly spec: JobSpec;
  /** When its file was written: nothing that was due before is made up for. Milliseconds since 1970. */
  readonly installedAt: number;
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

  faults(): JobFault[] {
    return [...this.#known.values()].flatMap(({ job }) => ("problem" in job ? [job] : []));
  }

  /** Whether there is a file of a job, whatever is in it. */
  has(name: string): boolean {
    return this.#known.has(name);
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

  #read(name: string, installedAt: number): InstalledJob | JobFault {
    const job = readJob(this.#paths, name);
    return "problem" in job ? job : { spec: job, installedAt };
  }
}
