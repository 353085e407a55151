import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse, stringify } from "smol-toml";
import * as z from "zod/mini";
import { readTextIfAny } from "../../files.ts";
import { readMngrSettings } from "../../fleet/mngr-settings.ts";
import type { WebSpec } from "../spec.ts";

/** What stands in a changeling's repo and is in no commit of it: it is this deployment's own. */

/** Relative to the repo. */
export const settingsFile = ".changelings/settings.toml";
const localSettings = ".mngr/settings.local.toml";
const template = "entrypoint";
const written = "# Written by `pulumi up`; edits are overwritten.\n";

/** What of the agent the repo says. */
export interface Entrypoint {
  /** The create template to use; undefined: the repo has none. */
  readonly template: string | undefined;
}

/**
 * Writes the settings, and what an older form of the create template says in today's.
 *
 * @throws when neither the repo nor the declaration says which agent it is
 */
export function writeRepoFiles(repo: string, { settings, agentType, source }: WebSpec): Entrypoint {
  writeOrRemove(repo, settingsFile, settings);
  if (!isOthers(join(repo, localSettings))) {
    const isOlder = !existsSync(join(repo, ".mngr/settings.toml"));
    writeOrRemove(repo, localSettings, isOlder ? translated(repo) : undefined);
  }
  const { templates } = readMngrSettings([".mngr/settings.toml", localSettings].map((file) => join(repo, file)));
  if (templates.has(template)) return { template };
  if (agentType !== undefined) return { template: undefined };
  throw new Error(
    `${source} does not say which agent it is; write agent_type = "…" into the fleet file, or add to its ` +
      `.mngr/settings.toml: [create_templates.${template}] with type = "…"`,
  );
}

function isOthers(path: string): boolean {
  return readTextIfAny(path)?.startsWith(written) === false;
}

/** Only what was written here before is removed. */
function writeOrRemove(repo: string, file: string, text: string | undefined): void {
  const path = join(repo, file);
  if (text !== undefined) {
    exclude(repo, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, written + text);
  } else if (!isOthers(path)) rmSync(path, { force: true });
}

function exclude(repo: string, file: string): void {
  const path = join(repo, ".git", "info", "exclude");
  const text = readTextIfAny(path) ?? "";
  if (text.split("\n").includes(`/${file}`)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}/${file}\n`);
}

const olderForm = z.looseObject({
  create_templates: z.record(z.string(), z.looseObject({ agent_type: z.optional(z.string()) })),
});

/** Spec 001's `.mng/settings.toml`, in which a template says `agent_type` for what is `type` today. */
function translated(repo: string): string | undefined {
  const path = join(repo, ".mng", "settings.toml");
  if (!existsSync(path)) return undefined;
  const older = olderForm.safeParse(parse(readFileSync(path, "utf8")));
  if (!older.success) return undefined;
  const templates = Object.entries(older.data.create_templates).map(([name, { agent_type: type, ...rest }]) => [
    name,
    type === undefined ? rest : { ...rest, type },
  ]);
  return stringify({ ...older.data, create_templates: Object.fromEntries(templates) });
}
