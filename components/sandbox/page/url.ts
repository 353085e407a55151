import { existsSync } from "node:fs";
import { join } from "node:path";
import { upCommand } from "../../lib/own-commands.ts";
import { newCode, signingKey } from "./codes.ts";
import { type PageFile, readPageFile } from "./page-file.ts";
import { readRevocation } from "./revocation.ts";

/**
 * Makes a URL that logs one browser in as the installation's owner, once.
 *
 * @param folder the session service's
 * @param of.session the session that it opens; by default the list of sessions
 * @param of.person the name of the person who acts
 * @throws if no page server has run
 */
export function pageUrl(
  folder: string,
  { session, person }: { readonly session?: string | undefined; readonly person: string },
): string {
  const { url, publicUrl = url, key } = required(folder);
  return `${publicUrl}${pathOf(session)}#code=${newCode(signingKey(key, readRevocation(folder)), person)}`;
}

/** The URL of a session's page for a guest. Browsers never send the part after `#` to a server. @throws as `pageUrl` */
export function guestUrl(
  folder: string,
  { session, token }: { readonly session: string; readonly token: string },
): string {
  const { url, publicUrl = url } = required(folder);
  return `${publicUrl}${pathOf(session)}#token=${token}`;
}

function pathOf(session: string | undefined): string {
  return session === undefined ? "/" : `/sessions/${session}`;
}

function required(folder: string): PageFile {
  const file = readPageFile(folder);
  if (file !== undefined) return file;
  const log = join(folder, "sessions.log");
  const why = existsSync(log) ? `; the end of ${log} says why` : `; start it with: ${upCommand()}`;
  throw new Error(`the page of the sessions is not served here${why}`);
}
