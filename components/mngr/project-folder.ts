import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A project's settings folder that is not there, so that mngr reads none of whatever folder it is started in. */
export const noProjectFolder = fileURLToPath(new URL("./no-project", import.meta.url));

/** What an agent's terminal does not get of mngr's environment: by then the folder is gone, or none of its business. */
const unset = 'unset_vars__extend = ["MNGR_PROJECT_CONFIG_DIR"]\n';

/**
 * Writes what mngr takes for a project's settings.
 *
 * @param settings texts by the names of their files: tables alone
 */
export function writeProjectSettings(folder: string, settings: Readonly<Record<string, string>>): void {
  const files = { ...settings, "settings.toml": unset + (settings["settings.toml"] ?? "") };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
}

/** Lends a folder with such settings, 0700. */
export async function withProjectFolder<Result>(
  settings: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-mngr-"));
  try {
    writeProjectSettings(folder, settings);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
