import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where one installation (one stack of one backend) keeps its files on this machine.
 * Folders are 0700 and files 0600, because some contain secrets.
 */
export interface InstallationPaths {
  readonly root: string;
  /** `<changeling>.json`: what to run and when (a `Job`). Only `pulumi up` writes it. */
  readonly jobs: string;
  /** `<changeling>.json`: the values of its secrets. Only `pulumi up` writes it. */
  readonly secrets: string;
  /** `<changeling>.jsonl`: its run records, append-only. Only the scheduler writes it. */
  readonly records: string;
  /** `<changeling>/<run id>/`: the files of one run (create.log, output.log, prompt.md, exit.json). */
  readonly runs: string;
  /** One JSON file per request to the scheduler (a run now, a removal); see `requests.ts`. */
  readonly requests: string;
  /** Clones of repositories that are declared by URL. */
  readonly repos: string;
  /** `<changeling>.json`: what is deployed of a web changeling here (a `WebRecord`). Only `pulumi up` writes it. */
  readonly web: string;
  /** The forwarding server's files: its key, codes and sessions, its log, its admin socket. */
  readonly forwarding: string;
  /** `specs/<changeling>.json`, the session service's files, and the sandboxes and volumes of this machine. */
  readonly sandboxes: string;
  /** `specs/<changeling>.json` of seed agents, and the processes and data of those on this machine. */
  readonly seedAgents: string;
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
    sandboxes: join(root, "sandboxes"),
    seedAgents: join(root, "seed-agents"),
    scheduler: join(root, "scheduler"),
  };
}
