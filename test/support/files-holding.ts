import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Returns the files in and below these folders that contain a text, sorted, to check for text that must not exist.
 * Files that other processes remove during the search are skipped. A folder that never existed is an error, because its
 * search would prove nothing.
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
