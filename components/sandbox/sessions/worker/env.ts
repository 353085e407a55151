import type { DurableObjectNamespace, Fetcher } from "cloudflare:workers";

/** The worker's bindings; see `runner/workerd-config.ts`, and on Cloudflare `cloudflare/wrangler-config.ts`. */
export interface Env {
  readonly SESSIONS: DurableObjectNamespace;
  readonly DIRECTORY: DurableObjectNamespace;
  /** The runner of the same machine; undefined on Cloudflare. */
  readonly RUNNER?: Fetcher;
  /** On Cloudflare: the object to which the runner dials out. */
  readonly RUNNER_LINK?: DurableObjectNamespace;
  /** The hash of the installation owner's token. */
  readonly OWNER_HASH: string;
  /** On Cloudflare: the hash of the runner's token, the deployed build, and Cloudflare's id of the running version. */
  readonly RUNNER_HASH?: string;
  readonly BUILD?: string;
  readonly VERSION?: { readonly id: string };
}

/** The name of the one object that lists the sessions. */
export const directoryName = "directory";

/** Looks the runner up for each request, because the stub of an object that failed stays broken. @param path begins with `/` */
export async function fetchFromRunner(
  { RUNNER, RUNNER_LINK }: Env,
  path: string,
  init?: RequestInit,
): Promise<Response> {
  const runner = RUNNER ?? RUNNER_LINK?.get(RUNNER_LINK.idFromName("runner"));
  if (runner === undefined) throw new Error("the worker has no binding of a runner");
  return await runner.fetch(`http://runner${path}`, init);
}
