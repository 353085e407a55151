import type { AgentResponse } from "../domain.ts";
import { HostError } from "../hot-reload/version-host.ts";
import { StateFull, StoreUnavailable } from "../store/store.ts";
import { Contended } from "./running.ts";

/** What a client gets in place of an answer, and who is to blame. */
export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Whether the version's code is to blame. */
  readonly isOwn: boolean;
  readonly isTimeout: boolean;
}

export function failure(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HostError) {
    if (error.code === "busy") return { status: 503, message, isOwn: false, isTimeout: false };
    const isTimeout = error.code === "timeout";
    return { status: isTimeout ? 504 : error.code === "ended" ? 503 : 500, message, isOwn: true, isTimeout };
  }
  const status = error instanceof StateFull ? 507 : 503;
  const isKnown = error instanceof StoreUnavailable || error instanceof StateFull || error instanceof Contended;
  return { status, message: isKnown ? message : "The service failed", isOwn: false, isTimeout: false };
}

export function plain(status: number, message: string): AgentResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: `${message}\n` };
}
