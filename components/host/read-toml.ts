import { readFileSync } from "node:fs";
import { parse } from "smol-toml";

/** @returns undefined if the file does not exist or can't be read */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** For files of other programs, which report errors in them. @returns undefined also for an invalid file */
export function readToml(file: string): Record<string, unknown> | undefined {
  const text = readText(file);
  try {
    return text === undefined ? undefined : parse(text);
  } catch {
    return undefined;
  }
}
