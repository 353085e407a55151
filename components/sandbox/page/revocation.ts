import { randomUUID } from "node:crypto";
import { join } from "node:path";
import * as z from "zod/mini";
import { ensureFolder, readJsonOrNull, watchFolder, writePrivateFile } from "../../host/files.ts";
import { changelingCommand } from "../../lib/own-commands.ts";

/**
 * The last revocation of all logins, in `revocation/last.json`. It is a random id and not a time, so that no clock change
 * can restore a login. Each login and each code is bound to the id that was current when it was made.
 */
const revocationFile = z.object({ version: z.literal(1), id: z.string().check(z.minLength(1)) });

/** A separate folder, because watching the service's folder would report each change of its databases. */
function folderOf(folder: string): string {
  return join(folder, "revocation");
}

function pathOf(folder: string): string {
  return join(folderOf(folder), "last.json");
}

/**
 * @param folder the session service's
 * @returns "" if the logins were never ended
 * @throws if the file is damaged; then nobody may log in
 */
export function readRevocation(folder: string): string {
  const path = pathOf(folder);
  const content = readJsonOrNull(path);
  if (content === undefined) return "";
  const parsed = revocationFile.safeParse(content);
  if (parsed.success) return parsed.data.id;
  throw new Error(`${path} is damaged; end all logins with: ${changelingCommand()} revoke --all`);
}

/**
 * Ends all logins and unused codes, whether or not the page's server runs.
 * @throws if the revocation can't be saved; then no login has ended
 */
export function revokeAll(folder: string): void {
  const content: z.input<typeof revocationFile> = { version: 1, id: randomUUID() };
  writePrivateFile(pathOf(folder), `${JSON.stringify(content)}\n`);
}

/** Calls back when all logins have ended, or may have ended. @returns a function that stops watching */
export function watchRevocation(folder: string, onChange: () => void): () => void {
  ensureFolder(folderOf(folder));
  return watchFolder(folderOf(folder), onChange);
}
