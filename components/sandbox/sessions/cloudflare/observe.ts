import * as z from "zod/mini";
import type { InstallationPaths } from "../../../host/installation-paths.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { sessionsFolder } from "../folder.ts";
import type { ServiceFile } from "../protocol.ts";
import { readDeployed } from "./deployed.ts";

const requestMs = 10_000;

const worker = z.object({
  service: z.literal("sessions"),
  build: z.optional(z.string()),
  version: z.optional(z.string()),
});

/** The worker that answers at a URL, or why none was found. */
export type WorkerAnswer =
  | { readonly build: string | undefined; readonly version: string | undefined }
  | { readonly reason: string; readonly isAnswered: boolean };

/** Asks a worker for its build and version. Never throws. */
export async function answerOf(url: string): Promise<WorkerAnswer> {
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(requestMs) });
    const parsed = worker.safeParse(await response.json().catch(() => undefined));
    if (parsed.success) return { build: parsed.data.build, version: parsed.data.version };
    return { reason: `something else answers there, with ${response.status}`, isAnswered: true };
  } catch (error) {
    return { reason: messageOf(error), isAnswered: false };
  }
}

/** Whether a runner is linked to the worker with the sessions. @throws if the worker can't be asked */
export async function isRunnerLinked(
  { url, token }: Pick<ServiceFile, "url" | "token">,
  timeoutMs: number = requestMs,
): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(new URL("/runner", url), {
    ...{ headers, redirect: "error", signal: AbortSignal.timeout(timeoutMs) },
  });
  return z.object({ isConnected: z.boolean() }).parse(await response.json()).isConnected;
}

/**
 * How the worker on Cloudflare differs from what this machine deployed. If Cloudflare can't be reached, no difference is
 * reported, so that a preview works offline.
 */
export async function workerDrift(paths: Pick<InstallationPaths, "sandboxes">): Promise<string | undefined> {
  const deployed = readDeployed(sessionsFolder(paths));
  if (deployed?.url === undefined) return "this machine does not have the tokens of the worker with the sessions";
  const answer = await answerOf(deployed.url);
  if ("reason" in answer) {
    return answer.isAnswered ? "the worker with the sessions is not on Cloudflare any more" : undefined;
  }
  if (deployed.versionId === undefined || answer.version === deployed.versionId) return undefined;
  return "the worker with the sessions was changed on Cloudflare";
}
