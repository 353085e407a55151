import { join } from "node:path";
import * as z from "zod/mini";

const agent = z.string().check(z.regex(/^agent-[0-9a-f]{32}$/));

/** What the forwarding server can be asked by whoever owns its folder. */
export const adminRequestForm = z.discriminatedUnion("op", [
  /** → `{url, expiresAt}`: a URL that logs one browser in to the agent, once. */
  z.object({ op: z.literal("mint"), agent }),
  /** → `{revoked, warning?}`: ends the agent's codes and logins; the warning says what is not on the disk. */
  z.object({ op: z.literal("revoke"), agent }),
  /** → `{rotated, warning?}`: ends all logins. */
  z.object({ op: z.literal("rotate-key") }),
  /** Makes it look at its agents again. */
  z.object({ op: z.literal("refresh") }),
  /** → `AgentView[]` */
  z.object({ op: z.literal("agents") }),
  /** → `SessionView[]`: the logins that are known */
  z.object({ op: z.literal("sessions") }),
  /** → `{text}`: counts in Prometheus's text format */
  z.object({ op: z.literal("metrics") }),
  /** → `{port, url, pid}` */
  z.object({ op: z.literal("status") }),
]);

export type AdminRequest = z.infer<typeof adminRequestForm>;

/** Where the forwarding server of this folder listens for whoever owns the folder. */
export function adminSocketPath(folder: string): string {
  return join(folder, "admin.sock");
}

/** Whether an error of a connection says that nobody listens there. */
export function isAbsent(error: Error): boolean {
  return "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
}
