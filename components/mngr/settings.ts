import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import * as z from "zod/mini";

/** Where mngr keeps its settings. */
export interface MngrSettingsLocation {
  readonly home: string;
  /** The profile that the fleet uses; undefined for the one in mngr's own config. */
  readonly profile: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What mngr's settings define and a fleet file can refer to. */
export interface MngrSettings {
  /** The types that `[agent_types.<name>]` defines, with their parents. */
  readonly parents: ReadonlyMap<string, string | undefined>;
  /** The names of `[create_templates.<name>]`. */
  readonly templates: ReadonlySet<string>;
  /** The agent type in `[create_templates.entrypoint]`. */
  readonly entrypoint: string | undefined;
}

// Other programs' files: unexpected values are ignored, because mngr reports them itself.
const settingsFile = z.looseObject({
  agent_types: z.catch(
    z.record(z.string(), z.catch(z.looseObject({ parent_type: z.catch(z.optional(z.string()), undefined) }), {})),
    {},
  ),
  create_templates: z.catch(z.record(z.string(), z.unknown()), {}),
});

// The first versions of mngr called it `agent_type`.
const entrypointOnly = z.object({
  create_templates: z.object({
    entrypoint: z.object({ type: z.optional(z.string()), agent_type: z.optional(z.string()) }),
  }),
});

const rootConfig = z.looseObject({ profile: z.catch(z.optional(z.string()), undefined) });

/** The settings files that mngr reads for a user, in order, including those that don't exist. */
export function personSettingsFiles({ home, profile, environment }: MngrSettingsLocation): string[] {
  const root = environment["MNGR_ROOT_NAME"] || "mngr";
  const hostDir = environment["MNGR_HOST_DIR"] || join(home, `.${root}`);
  const active = profile ?? rootConfig.safeParse(readToml(join(hostDir, "config.toml"))).data?.profile;
  return active === undefined ? [] : [join(hostDir, "profiles", active, "settings.toml")];
}

/** A repository's settings files. The first versions of mngr used `.mng`. */
export function repoSettingsFiles(repo: string, environment: MngrSettingsLocation["environment"]): string[] {
  const folder = environment["MNGR_PROJECT_CONFIG_DIR"] || join(repo, `.${environment["MNGR_ROOT_NAME"] || "mngr"}`);
  return [join(folder, "settings.toml"), join(folder, "settings.local.toml"), join(repo, ".mng", "settings.toml")];
}

/** Never fails: a missing or invalid file defines nothing. */
export function readMngrSettings(files: readonly string[]): MngrSettings {
  const parents = new Map<string, string | undefined>();
  const templates = new Set<string>();
  let entrypoint: string | undefined;
  for (const file of files) {
    const table = readToml(file);
    const settings = settingsFile.safeParse(table).data;
    if (settings === undefined) continue;
    for (const [name, { parent_type }] of Object.entries(settings.agent_types)) {
      parents.set(name, parent_type ?? parents.get(name));
    }
    for (const name of Object.keys(settings.create_templates)) templates.add(name);
    const named = entrypointOnly.safeParse(table).data?.create_templates.entrypoint;
    entrypoint = named?.type ?? named?.agent_type ?? entrypoint;
  }
  return { parents, templates, entrypoint };
}

function readToml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
