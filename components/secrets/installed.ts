import { join } from "node:path";
import * as z from "zod/mini";
import { readJson } from "../host/files.ts";
import type { InstallationPaths } from "../host/installation-paths.ts";
import { installedDrift, writeInstalled } from "../host/installed-file.ts";
import { canonicalJson, digestOfJson } from "../lib/json.ts";
import { upCommand } from "../lib/own-commands.ts";

/** The values of one changeling's secrets, by variable name. */
const secretsFile = z.strictObject({ digest: z.string(), values: z.record(z.string(), z.string()) });

export function secretsPath(paths: InstallationPaths, name: string): string {
  return join(paths.secrets, `${name}.json`);
}

export function writeSecrets(paths: InstallationPaths, name: string, values: Record<string, string>): void {
  writeInstalled(secretsPath(paths, name), { digest: digestOfValues(values), values });
}

/**
 * How installed secrets differ from what was installed, as text; undefined if they do not.
 *
 * @param stated what was installed according to the stack's state, as JSON; undefined if unknown
 */
export function secretsDrift(paths: InstallationPaths, name: string, stated: unknown): string | undefined {
  return installedDrift(secretsPath(paths, name), "secrets file", (content) => {
    const parsed = secretsFile.safeParse(content);
    if (!parsed.success || parsed.data.digest !== digestOfValues(parsed.data.values)) return false;
    return typeof stated !== "string" || canonicalJson(parsed.data.values) === canonicalJson(JSON.parse(stated));
  });
}

/**
 * The values of a changeling's secrets, by variable name; empty if it has none.
 * @throws if the file is invalid; the error reveals nothing of its content
 */
export function readSecrets(paths: InstallationPaths, name: string): Readonly<Record<string, string>> {
  const path = secretsPath(paths, name);
  const parsed = secretsFile.safeParse(contentOf(path) ?? { digest: "", values: {} });
  if (!parsed.success) throw new Error(`${path} is not a secrets file; repair it with: ${upCommand()}`);
  return parsed.data.values;
}

/** JSON.parse quotes the text that it can't parse, which is a secret here. */
function contentOf(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    return "";
  }
}

/** Unsalted, because the file next to it contains the values themselves. */
function digestOfValues(values: Record<string, string>): string {
  return digestOfJson(values);
}
