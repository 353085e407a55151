import { join } from "node:path";
import { parse, stringify, type TomlTable } from "smol-toml";
import { readTextIfAny } from "../host/files.ts";
import { messageOf } from "../lib/as-error.ts";

/** The tables that a changeling's `agent_type` and `template` refer to. */
const kept = ["agent_types", "create_templates"];

/**
 * The tables of a repository's mngr settings that a changeling can refer to. All other settings (commands that run
 * before mngr's, command defaults, providers, plugins) would affect this machine without being declared in the fleet
 * file.
 *
 * @param repo absolute path
 * @returns texts by file name
 * @throws for invalid TOML
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
    const [why = ""] = messageOf(error).split("\n");
    throw new Error(`${path} is not valid TOML (${why}); correct it there`);
  }
}
