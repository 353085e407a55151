import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where one installation (one stack of one backend) keeps its things on this machine.
 * Folders are 0700, files 0600: some of them hold secrets.
 */
export interface InstallationPaths {
  readonly root: string;
  /** `<changeling>.json`: what to run and when (a `Job`). Written by `pulumi up` alone. */
  readonly jobs: string;
  /** `<changeling>.json`: the values of its secrets. Written by `pulumi up` alone. */
  readonly secrets: string;
  /** `<changeling>.jsonl`: its run records, append-only. Written by the scheduler alone. */
  readonly records: string;
  /** `<changeling>/<run id>/`: what one run leaves to be read (create.log, output.log, prompt.md, exit.json). */
  readonly runs: string;
  /** One JSON file per request to the scheduler (a run now, a removal); see `requests.ts`. */
  readonly requests: string;
  /** Clones of repositories that are declared by URL. */
  readonly repos: string;
  /** `<changeling>.json`: what stands of a web changeling here (a `WebRecord`). Written by `pulumi up` alone. */
  readonly web: string;
  /** The forwarding server's: its key, codes and sessions, its log, its admin socket. */
  readonly forwarding: string;
  /** scheduler.json (pid, program version, started), scheduler.log, and the supervisor's pid. */
  readonly scheduler: string;
}

export function installationPaths(installation: string, home: string = homedir()): InstallationPaths {
  const root = join(home, ".changelings", installation);
  return {
    root,
    jobs: join(root, "jobs"),
    secrets: join(root, "secrets"),
    records: join(root, "records"),
    runs: join(root, "runs"),
    requests: join(root, "requests"),
    repos: join(root, "repos"),
    web: join(root, "web"),
    forwarding: join(root, "forwarding"),
    scheduler: join(root, "scheduler"),
  };
}
