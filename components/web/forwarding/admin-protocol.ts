import { join } from "node:path";
import * as z from "zod/mini";

const agent = z.string().check(z.regex(/^agent-[0-9a-f]{32}$/));

/** Requests that the owner of the forwarding server's folder can make. */
export const adminRequestForm = z.discriminatedUnion("op", [
  /** → `{url, expiresAt}`: a one-time URL that logs one browser in to the agent. */
  z.object({ op: z.literal("mint"), agent }),
  /**
   * → `{revoked, warning?}`: revokes the agent's codes and logins. The warning says what could not be saved to disk.
   */
  z.object({ op: z.literal("revoke"), agent }),
  /** → `{rotated, warning?}`: ends all logins. */
  z.object({ op: z.literal("rotate-key") }),
  /** Queries all agents again. */
  z.object({ op: z.literal("refresh") }),
  /** → `AgentView[]` */
  z.object({ op: z.literal("agents") }),
  /** → `SessionView[]`: the known logins */
  z.object({ op: z.literal("sessions") }),
  /** → `{text}`: counts in Prometheus's text format */
  z.object({ op: z.literal("metrics") }),
  /** → `{port, url, pid}` */
  z.object({ op: z.literal("status") }),
]);

export type AdminRequest = z.infer<typeof adminRequestForm>;

/** The admin socket of this folder's forwarding server. */
export function adminSocketPath(folder: string): string {
  return join(folder, "admin.sock");
}

/** Whether a connection error means that nothing listens there. */
export function isAbsent(error: Error): boolean {
  return "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
}
