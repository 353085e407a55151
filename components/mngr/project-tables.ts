import { join } from "node:path";
import { parse, stringify, type TomlTable } from "smol-toml";
import { readTextIfAny } from "../host/files.ts";

/** What a changeling can name: `agent_type`, and `template`. */
const kept = ["agent_types", "create_templates"];

/**
 * Of a repository's own mngr settings what a changeling of it can name. The rest (commands that run before mngr's, defaults
 * of its commands, providers, plugins) would have effects on this machine that nobody asked for in the fleet file.
 *
 * @param repo absolute path
 * @returns texts by the names of their files
 * @throws for a file that is not valid TOML
 */
export function projectTables(
  repo: string,
  { MNGR_ROOT_NAME: root }: Readonly<Record<string, string>>,
): Record<string, string> {
  const files = ["settings.toml", "settings.local.toml"].flatMap((name) => {
    const path = join(repo, `.${root || "mngr"}`, name);
    const text = readTextIfAny(path);
    return text === undefined ? [] : [[name, stringify(tablesOf(text, path))] as const];
  });
  return Object.fromEntries(files);
}

function tablesOf(text: string, path: string): TomlTable {
  try {
    return Object.fromEntries(Object.entries(parse(text)).filter(([key]) => kept.includes(key)));
  } catch (error) {
    const [why = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    throw new Error(`${path} is not valid TOML (${why}); correct it there`);
  }
}
