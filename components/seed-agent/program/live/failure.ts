import { messageOf } from "../../../lib/as-error.ts";
import type { AgentResponse } from "../domain.ts";
import { HostError } from "../hot-reload/version-host.ts";
import { StateFull, StoreUnavailable } from "../store/store.ts";
import { Contended } from "./running.ts";

/** The response to a request that failed, and whether the version's code caused the failure. */
export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Whether the version's code caused it. */
  readonly isOfVersion: boolean;
  readonly isTimeout: boolean;
}

export function failure(error: unknown): Failure {
  const message = messageOf(error);
  if (error instanceof HostError) {
    if (error.code === "busy") return { status: 503, message, isOfVersion: false, isTimeout: false };
    const isTimeout = error.code === "timeout";
    return { status: isTimeout ? 504 : error.code === "ended" ? 503 : 500, message, isOfVersion: true, isTimeout };
  }
  const status = error instanceof StateFull ? 507 : 503;
  const isKnown = error instanceof StoreUnavailable || error instanceof StateFull || error instanceof Contended;
  return { status, message: isKnown ? message : "The service failed", isOfVersion: false, isTimeout: false };
}

export function plain(status: number, message: string): AgentResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: `${message}\n` };
}
