/**
 * Runs the operation of a resource: `node scripts/command.ts NAME apply|remove`. Every stack's state contains this path
 * and the names, so neither changes when a file moves. Only the module of the one command is loaded.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CommandTable } from "../components/command-script.ts";
import "../components/lib/quick-imports.ts";

/** Each folder's `commands.ts` names the commands of its resources, so a new kind needs no line here. */
async function commandTables(): Promise<CommandTable> {
  const components = join(import.meta.dirname, "..", "components");
  const files = readdirSync(components)
    .map((folder) => join(components, folder, `commands${extname(import.meta.filename)}`))
    .filter((file) => existsSync(file));
  const tables = await Promise.all(
    files.map(async (file): Promise<{ commands: CommandTable }> => import(pathToFileURL(file).href)),
  );
  return Object.assign({}, ...tables.map(({ commands }) => commands));
}

const commands = await commandTables();
const [, path = "", ...args] = process.argv;
const calledAs = basename(path, extname(path));
// Releases before 0.2 had a script per command: `node scripts/local-job.ts remove`.
const [name = "", verb] = calledAs === "command" ? args : [calledAs, ...args];
const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (load === undefined || (verb !== "apply" && verb !== "remove")) {
  process.stderr.write(`usage: node scripts/command.ts ${Object.keys(commands).join("|")} apply|remove\n`);
  process.exitCode = 2;
} else {
  const { default: command } = await load();
  await command.run(verb);
}
