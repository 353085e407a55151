import { join } from "node:path";
import * as z from "zod/mini";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import { adminRequest, NotRunning } from "./admin-client.ts";
import { readContainer } from "./docker/installed-container.ts";
import { readConfig } from "./program/config.ts";
import { type Login, loginForm, pageUrl } from "./urls.ts";

const status = z.object({ port: z.number(), url: z.string(), pid: z.number() });

export type ForwardingStatus = z.infer<typeof status>;

/** The URL of an agent's page; null if no forwarding server was applied yet. */
export function deployedPageUrl({ forwarding }: InstallationPaths, agentId: string): string | null {
  try {
    const config = readConfig(forwarding);
    return pageUrl({ ...config, publicUrl: config.publicUrl ?? undefined }, agentId);
  } catch {
    return null;
  }
}

/** How to read its log: a file's path, or the command that prints it. */
export function forwardingLog({ forwarding }: InstallationPaths): string {
  const container = readContainer(forwarding);
  return container === undefined ? join(forwarding, "forwarding.log") : `docker logs ${container.name}`;
}

/** @returns undefined if it is not running */
export async function forwardingStatus({ forwarding }: InstallationPaths): Promise<ForwardingStatus | undefined> {
  try {
    return status.parse(await adminRequest(forwarding, { op: "status" }));
  } catch (error) {
    if (error instanceof NotRunning) return undefined;
    throw error;
  }
}

/** Creates a login URL for an agent. @throws if the forwarding server is not running, with how to start it */
export async function newLogin({ forwarding }: InstallationPaths, agentId: string): Promise<Login> {
  return loginForm.parse(await asked(forwarding, { op: "mint", agent: agentId }));
}

/** Revokes an agent's login URLs and the logins made with them. @returns a warning, if any */
export async function revokeLogins({ forwarding }: InstallationPaths, agentId: string): Promise<string | undefined> {
  return ended.parse(await asked(forwarding, { op: "revoke", agent: agentId })).warning;
}

/** Revokes every login of every agent. @returns a warning, if any */
export async function rotateKey({ forwarding }: InstallationPaths): Promise<string | undefined> {
  return ended.parse(await asked(forwarding, { op: "rotate-key" })).warning;
}

const ended = z.object({ warning: z.optional(z.string()) });

const session = z.object({
  session: z.string(),
  agent: z.string(),
  since: z.optional(z.string()),
  lastSeen: z.string(),
  expiresAt: z.string(),
  address: z.optional(z.string()),
  userAgent: z.optional(z.string()),
});

/** The forwarding server's logins. */
export async function serverSessions({ forwarding }: InstallationPaths): Promise<z.infer<typeof session>[]> {
  return z.array(session).parse(await asked(forwarding, { op: "sessions" }));
}

export async function serverMetrics({ forwarding }: InstallationPaths): Promise<string> {
  return z.object({ text: z.string() }).parse(await asked(forwarding, { op: "metrics" })).text;
}

async function asked(folder: string, request: Parameters<typeof adminRequest>[1]): Promise<unknown> {
  try {
    return await adminRequest(folder, request);
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error;
    throw new Error(`the forwarding server is not running; start it with: ${changelingCommand()} forward`);
  }
}

/** `16:05`, with the day if it is not today. */
export function untilText({ expiresAt }: Login, now: Date = new Date()): string {
  const isToday = expiresAt.toDateString() === now.toDateString();
  const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }).format(expiresAt);
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(expiresAt);
  return isToday ? time : `${date} ${time}`;
}
