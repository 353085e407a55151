/**
 * Runs what a resource of the stack does: `node scripts/command.ts NAME apply|remove`. This path and the names are in
 * the state of every stack, so neither changes when a file moves. Only the module of the one command is loaded.
 */
import { basename, extname } from "node:path";
import type { CommandTable } from "../components/command-script.ts";
import { cronCommands } from "../components/cron/commands.ts";
import { webCommands } from "../components/web/commands.ts";

const commands: CommandTable = {
  ...cronCommands,
  ...webCommands,
  "local-secrets": () => import("../components/secrets/local.command.ts"),
  "modal-home": () => import("../components/stack/modal-home.command.ts"),
  "repo-tarball": () => import("../components/source/tarball.command.ts"),
  "repo-snapshot": () => import("../components/source/snapshot.command.ts"),
};

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
