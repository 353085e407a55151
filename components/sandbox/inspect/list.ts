import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import { fromNow } from "../../lib/times.ts";
import type { Answer, InspectedStack, Listed, Listing, NotFound } from "../../stack/inspection.ts";
import { installedSandboxes, readSandbox } from "../installed.ts";
import { openSessions } from "../sessions/client.ts";
import { sessionsFolder } from "../sessions/folder.ts";
import type { SessionSummary } from "../sessions/protocol.ts";
import { shownStatus } from "../sessions/shown-status.ts";
import { memoryVolume } from "../spec.ts";

/** A sandbox changeling in `list --json`. */
export interface ListedSandboxChangeling extends Listed {
  readonly kind: "sandbox";
  /** `owner/name`; the owner of a path is `local`. */
  readonly repo: string;
  readonly runtime: string;
  /** The volume with the repository's memory. */
  readonly memory: string;
  /** Sessions that are not terminated, the newest first; null if the session service does not answer. */
  readonly sessions: readonly SessionSummary[] | null;
}

export async function sandboxListing(stack: InspectedStack): Promise<Listing<ListedSandboxChangeling>> {
  const warnings: string[] = [];
  const names = installedSandboxes(stack.paths);
  const sessions = names.length === 0 ? [] : await openSessionsOf(stack, warnings);
  const changelings = names.flatMap((name): ListedSandboxChangeling[] => {
    try {
      const installed = readSandbox(stack.paths, name);
      if (installed === undefined) return [];
      const { spec, enabled } = installed;
      if (stack.provider !== undefined && stack.provider !== spec.provider) return [];
      return [
        {
          ...{ name, kind: "sandbox", provider: spec.provider, enabled },
          ...{ repo: `${spec.owner}/${spec.repo}`, runtime: spec.runtime, memory: memoryVolume(spec) },
          sessions: sessions?.filter(({ changeling }) => changeling === name) ?? null,
        },
      ];
    } catch (error) {
      warnings.push(messageOf(error));
      return [];
    }
  });
  return {
    changelings,
    columns: ["REPOSITORY", "RUNTIME", "SESSIONS"],
    cells: changelings.map(({ repo, runtime, enabled, sessions }) => [
      repo,
      runtime,
      enabled ? sessionsInWords(sessions) : "disabled",
    ]),
    warnings,
  };
}

/** The transcript of its newest session. */
export async function sandboxLogs(stack: InspectedStack, name: string): Promise<Answer | NotFound> {
  const deployed = installedSandboxes(stack.paths);
  if (!deployed.includes(name)) return { deployed };
  const client = openSessions({ folder: sessionsFolder(stack.paths), person: "owner" });
  const [newest] = await client.list({ changeling: name });
  if (newest === undefined)
    throw new Error(`${name} has no session yet; start one with: ${changelingCommand()} sandbox start ${name}`);
  const messages = await client.messages(newest.id);
  return {
    data: { name, session: newest, messages },
    text: messages.map(({ author, state, text }) => `${author} (${state}): ${text}`).join("\n"),
  };
}

/** A list shows the other changelings although the session service, which may be on Cloudflare, can't be reached. */
const listTimeoutMs = 5_000;

async function openSessionsOf(stack: InspectedStack, warnings: string[]): Promise<readonly SessionSummary[] | null> {
  try {
    const client = openSessions({ folder: sessionsFolder(stack.paths), person: "owner", timeoutMs: listTimeoutMs });
    return (await client.list()).filter(({ status }) => status !== "terminated");
  } catch (error) {
    const reason = messageOf(error);
    warnings.push(`the sessions are not known: ${reason}`);
    return null;
  }
}

function sessionsInWords(sessions: ListedSandboxChangeling["sessions"], now = new Date()): string {
  if (sessions === null) return "unknown";
  const [newest] = sessions;
  if (newest === undefined) return "none";
  return `${sessions.length}, newest ${shownStatus(newest)}, ${fromNow(new Date(newest.updatedAt), now)}`;
}
