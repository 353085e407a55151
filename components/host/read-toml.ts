import { readFileSync } from "node:fs";
import { parse } from "smol-toml";

/** @returns undefined when it is not there, or can't be read */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** For files of others, which complain themselves about what is wrong in them. @returns undefined also for a broken one */
export function readToml(file: string): Record<string, unknown> | undefined {
  const text = readText(file);
  try {
    return text === undefined ? undefined : parse(text);
  } catch {
    return undefined;
  }
}
