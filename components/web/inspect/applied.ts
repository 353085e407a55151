import type { InstallationPaths } from "../../host/installation-paths.ts";
import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import { printNote } from "../../lib/terminal.ts";
import { readRecord } from "../agent/record.ts";
import { deployedPageUrl, newLogin, untilText } from "../forwarding/server-client.ts";

/** A web changeling right after it was applied. */
export interface AppliedWeb {
  readonly name: string;
  readonly agentId: string;
  /** `up` fails if one that should run does not start. */
  readonly state: "running" | "stopped";
  readonly url: string | null;
  /** Null for a stopped one, and if no forwarding server runs. */
  readonly loginUrl: string | null;
  /** ISO 8601, UTC. */
  readonly loginExpiresAt: string | null;
  readonly repo: string;
  readonly data: string;
}

/** @throws if it has no record */
export async function appliedWeb({ paths }: { readonly paths: InstallationPaths }, name: string): Promise<AppliedWeb> {
  const record = readRecord(paths, name);
  if (record === undefined)
    throw new Error(`${name} was applied, but this machine has no record of it; see: ${changelingCommand()} doctor`);
  const { agentId, repo, data, applied } = record;
  const state = applied?.enabled === false ? "stopped" : "running";
  const url = deployedPageUrl(paths, agentId);
  const none = { name, agentId, state, url, loginUrl: null, loginExpiresAt: null, repo, data } as const;
  if (state === "stopped") return none;
  try {
    const login = await newLogin(paths, agentId);
    return { ...none, loginUrl: login.url, loginExpiresAt: login.expiresAt.toISOString() };
  } catch (error) {
    printNote(`warning: no login URL: ${messageOf(error)}\n`);
    return none;
  }
}

export function appliedText({ name, state, url, loginUrl, loginExpiresAt }: AppliedWeb): string {
  const lines = [`${name} is ${state}.`];
  if (url !== null) lines.push(`  page   ${url}`);
  if (loginUrl !== null) lines.push(`  login  ${loginUrl}`);
  if (loginUrl !== null && loginExpiresAt !== null) {
    const until = untilText({ url: loginUrl, expiresAt: new Date(loginExpiresAt) });
    lines.push(
      `Open the login URL in a browser: it works once, until ${until}. Another: ${changelingCommand()} login-url ${name}`,
    );
  }
  return lines.join("\n");
}
