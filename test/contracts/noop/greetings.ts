import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export function greetingFile(name: string): string {
  return join(homedir(), `noop-${name}`);
}

/** The names of all that have a greeting. */
export function greeters(): string[] {
  return readdirSync(homedir()).flatMap((file) => /^noop-(.+)$/.exec(file)?.[1] ?? []);
}
