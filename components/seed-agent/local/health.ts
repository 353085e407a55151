import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";

/** A node's answer to `GET /health`. */
export interface NodeHealth {
  readonly healthy: boolean;
  /** What is wrong, in words that follow "it". */
  readonly problem?: string;
  /** Whether it answered at all. */
  readonly answers: boolean;
}

const body = z.object({ status: z.enum(["ok", "degraded"]) });

export async function healthOf(url: string, timeoutMs = 3000): Promise<NodeHealth> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(timeoutMs), redirect: "error" });
    const parsed = body.safeParse(await response.json());
    if (!parsed.success) return { healthy: false, answers: false, problem: "has its port taken by another program" };
    if (parsed.data.status === "ok") return { healthy: true, answers: true };
    return { healthy: false, answers: true, problem: isDegraded };
  } catch {
    return { healthy: false, answers: false, problem: "does not answer" };
  }
}

/** It answers, and reports what is wrong itself: a restart would not help. */
export const isDegraded = "is degraded";

/** Waits until a node answers. @returns its last answer */
export async function whenAnswering(url: string, timeoutMs: number, isOver: () => boolean): Promise<NodeHealth> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const found = await healthOf(url);
    if (found.answers || Date.now() > until || isOver()) return found;
    await sleep(100);
  }
}

/** Whether any program listens at a port of this machine. */
export function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const end = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });
}
