import type { DurableObjectNamespace, Fetcher } from "cloudflare:workers";

/** The worker's bindings; see `runner/workerd-config.ts`, and on Cloudflare `cloudflare/wrangler-config.ts`. */
export interface Env {
  readonly SESSIONS: DurableObjectNamespace;
  readonly DIRECTORY: DurableObjectNamespace;
  /** The runner of the same machine; undefined on Cloudflare. */
  readonly RUNNER?: Fetcher;
  /** On Cloudflare: the object to which the runner dials out. */
  readonly RUNNER_LINK?: DurableObjectNamespace;
  /** The hash of the token of the installation's owner. */
  readonly OWNER_HASH: string;
  /** On Cloudflare: the hash of the runner's token, what was deployed, and Cloudflare's own id of the version that runs. */
  readonly RUNNER_HASH?: string;
  readonly BUILD?: string;
  readonly VERSION?: { readonly id: string };
}

/** The one object that lists the sessions. */
export const directoryName = "directory";

/** @param path begins with `/`. Looked up for each request, because the stub of an object that failed stays broken. */
export async function fetchFromRunner(
  { RUNNER, RUNNER_LINK }: Env,
  path: string,
  init?: RequestInit,
): Promise<Response> {
  const runner = RUNNER ?? RUNNER_LINK?.get(RUNNER_LINK.idFromName("runner"));
  if (runner === undefined) throw new Error("the worker has no binding of a runner");
  return await runner.fetch(`http://runner${path}`, init);
}
