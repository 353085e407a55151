import { readJson } from "../files.ts";
import { secretsFile, secretsPath } from "../installed-files.ts";
import type { InstallationPaths } from "../paths.ts";

/**
 * The values of a changeling's secrets, by the names of their variables; none when it has none.
 * @throws when the file is not one; the error says nothing of what is in it
 */
export function readSecrets(paths: InstallationPaths, name: string): Readonly<Record<string, string>> {
  const path = secretsPath(paths, name);
  const parsed = secretsFile.safeParse(contentOf(path) ?? { digest: "", values: {} });
  if (!parsed.success) throw new Error(`${path} is not a secrets file; mend it with: pulumi up`);
  return parsed.data.values;
}

/** JSON.parse quotes what it chokes on: here that is a secret. */
function contentOf(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    return "";
  }
}
