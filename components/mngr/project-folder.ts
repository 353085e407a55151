import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A project settings folder that does not exist, so that mngr reads no settings from its working directory. */
export const noProjectFolder = fileURLToPath(new URL("./no-project", import.meta.url));

/** Variables of mngr that an agent's terminal must not inherit: the folder may be gone, or not concern the agent. */
const unset = 'unset_vars__extend = ["MNGR_PROJECT_CONFIG_DIR"]\n';

/**
 * Writes a settings folder that mngr reads as the project's.
 *
 * @param settings texts by file name, containing tables only
 */
export function writeProjectSettings(folder: string, settings: Readonly<Record<string, string>>): void {
  const files = { ...settings, "settings.toml": unset + (settings["settings.toml"] ?? "") };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
}

/** Lends such a settings folder, 0700. */
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
