import { userInfo } from "node:os";
import { type Command, Option } from "commander";
import { changelingCommand, upCommand } from "../../../components/lib/own-commands.ts";
import { installedSandboxes } from "../../../components/sandbox/installed.ts";
import { openSessions, type SessionsClient } from "../../../components/sandbox/sessions/client.ts";
import { sessionsFolder } from "../../../components/sandbox/sessions/folder.ts";
import type { SessionSummary } from "../../../components/sandbox/sessions/protocol.ts";
import { type Context, contextOf } from "../context.ts";
import { kindOf, notDeployedText } from "../kinds.ts";
import { requireStack } from "../known-stack.ts";

/** A command of `changeling sandbox` with the service of its stack. */
export interface SandboxContext extends Context {
  readonly client: SessionsClient;
  /** The name of the person who acts. */
  readonly person: string;
}

export function sandboxContext(command: Command): SandboxContext {
  const context = contextOf(command);
  const { as: person = userInfo().username } = command.optsWithGlobals<{ as?: string }>();
  const client = openSessions({ folder: sessionsFolder(context.paths), person });
  return { ...context, client, person };
}

/** For commands that act as a person. */
export function personOption(): Option {
  return new Option("--as <name>", "the person who acts, as others see it").default(undefined, "your user name");
}

/** @throws if no sandbox changeling of that name is deployed, with a suggestion */
export async function requireSandbox(context: Context, name: string): Promise<void> {
  const names = installedSandboxes(context.paths);
  if (names.includes(name)) return;
  const other = kindOf(context, name);
  if (other !== undefined) throw new Error(`${name} is a ${other.noun}, not a sandbox; sandboxes: ${names.join(", ")}`);
  if (names.length > 0) throw new Error(notDeployedText("sandbox", name, names));
  await requireStack(context);
  throw new Error(
    `no sandbox is deployed on this stack; declare one ([changelings.${/^[a-z][a-z0-9-]*$/.test(name) ? name : "example"}] with kind = "sandbox") and apply it: ${upCommand()}`,
  );
}

/**
 * Finds a session by its id or a prefix of it (at least 6 characters), or the newest session of a changeling.
 *
 * @throws if there is none, with the remedy
 */
export async function sessionOf(context: SandboxContext, name: string): Promise<SessionSummary> {
  const sessions = await context.client.list();
  const byId = /^[0-9a-f]{6,20}$/.test(name) ? sessions.filter(({ id }) => id.startsWith(name)) : [];
  if (byId.length > 1) throw new Error(`${byId.length} sessions begin with ${name}; write more of the id`);
  const own = sessions.filter(({ changeling }) => changeling === name);
  const found = byId[0] ?? own.find(({ status }) => status !== "terminated");
  if (found !== undefined) return found;
  await requireSandbox(context, name);
  const why = own.length === 0 ? "has no session" : "has no session that is not terminated";
  throw new Error(`${name} ${why}; start one with: ${changelingCommand()} sandbox start ${name}`);
}
