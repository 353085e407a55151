import { existsSync } from "node:fs";
import { changelingCommand, upCommand } from "../../lib/own-commands.ts";
import type { EndedLogins, InspectedStack } from "../../stack/inspection.ts";
import { readPageFile } from "../page/page-file.ts";
import { revokeAll } from "../page/revocation.ts";
import { sessionsFolder } from "../sessions/folder.ts";

/** Ends the logins of the sessions' page. Guests keep their tokens, which are for one session each. */
export async function endPageLogins({ paths }: Pick<InspectedStack, "paths">): Promise<EndedLogins | undefined> {
  const folder = sessionsFolder(paths);
  // Logins are kept there even after the last sandbox was removed.
  if (!existsSync(folder)) return undefined;
  revokeAll(folder);
  if (readPageFile(folder)?.isRevocable === false) {
    const problem = "the session service is of an earlier release, and ends the logins of its page when it restarts";
    throw new Error(`${problem}; restart it with: ${upCommand()}`);
  }
  return { newLogins: `${changelingCommand()} sandbox login-url` };
}
