/** Installs or removes the secrets of a changeling on this machine: the `<name>-secrets` Command. */
import * as z from "zod/mini";
import { commandScript } from "../command-script.ts";
import { removeEmptyFolders } from "../host/claims.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { removeFile } from "../host/installed-file.ts";
import { secretsPath, writeSecrets } from "./installed.ts";

const values = z.record(z.string(), z.string());

export default commandScript({
  variables: z.object({
    NAME: z.string(),
    INSTALLATION: z.string(),
    VALUES: z.string(),
    RENAMED_FROM: z.optional(z.string()),
  }),
  timeoutSeconds: 60,
  async apply({ NAME: name, INSTALLATION: installation, VALUES: json, RENAMED_FROM: former }) {
    const paths = installationPaths(installation);
    writeSecrets(paths, name, parseValues(json));
    if (former !== undefined) removeFile(secretsPath(paths, former));
    return { installed: name };
  },
  async remove({ NAME: name, INSTALLATION: installation }) {
    const paths = installationPaths(installation);
    removeFile(secretsPath(paths, name));
    removeEmptyFolders(paths);
    return { removed: name };
  },
});

/** JSON.parse and zod would quote the text that they can't parse, which is a secret here. */
function parseValues(json: string): Record<string, string> {
  try {
    return values.parse(JSON.parse(json));
  } catch {
    throw new Error("the values of its secrets are not a JSON object of strings");
  }
}
