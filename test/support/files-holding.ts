import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The files that hold a text, in these folders and below, sorted: for searching what must not be there.
 * What other processes remove during the search is passed over; a folder that was never there is an error, since
 * whoever searches it finds nothing and learns nothing.
 */
export function filesHolding(text: string, ...folders: string[]): string[] {
  for (const folder of folders) statSync(folder);
  return folders.flatMap((folder) => below(folder, text)).sort();
}

function below(folder: string, text: string): string[] {
  const entries = unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return below(path, text);
    return entry.isFile() && unlessGone(() => readFileSync(path))?.includes(text) ? [path] : [];
  });
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
