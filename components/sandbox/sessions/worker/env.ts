import type { DurableObjectNamespace, Fetcher } from "cloudflare:workers";

/** The worker's bindings; see `runner/workerd-config.ts`. */
export interface Env {
  readonly SESSIONS: DurableObjectNamespace;
  readonly DIRECTORY: DurableObjectNamespace;
  readonly RUNNER: Fetcher;
  /** The hash of the token of the installation's owner. */
  readonly OWNER_HASH: string;
}

/** The one object that lists the sessions. */
export const directoryName = "directory";
