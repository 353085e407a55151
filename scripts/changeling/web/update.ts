import { homedir } from "node:os";
import type { Command } from "commander";
import { setOption } from "../../../components/fleet/edit.ts";
import { optionIn } from "../../../components/fleet/edit-tables.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { readRecord } from "../../../components/web/agent/record.ts";
import { forwardingServerType } from "../../../components/web/command-suffixes.ts";
import { appliedText, appliedWeb } from "../../../components/web/inspect/applied.ts";
import { answer, contextOf } from "../context.ts";
import { writeAndApply } from "../fleet-file/apply.ts";
import { confirmed, plannedEdit, showEdit } from "../fleet-file/edit-fleet.ts";
import { editOf, requireDeclared } from "../kinds.ts";
import { branchOption, examples, pathOption, yesOption } from "../options.ts";
import { addPathAsWritten } from "./declaration.ts";

interface Options {
  readonly branch?: string;
  readonly addPath?: readonly string[];
  readonly yes?: boolean;
}

export function addUpdate(program: Command): void {
  program
    .command("update")
    .argument("<name>", "the web changeling")
    .addOption(branchOption())
    .addOption(pathOption())
    .addOption(yesOption())
    .description("apply one web changeling: its source's new commits, and its declaration in the fleet file")
    .addHelpText(
      "after",
      `
New commits are merged into the agent's own branch, so its own commits are kept; then it is stopped, provisioned and
started. If they can't be merged, it keeps running as before. If it does not start, the previous version is restored, and
the command fails with the tail of its log. The options are written to the fleet file first.
${examples("update elena", "update elena --branch next", "update elena --add-path ~/notes:notes --yes")}`,
    )
    .action(async (name: string, options: Options, command: Command) => {
      const context = contextOf(command);
      const folders = { cwd: process.cwd(), home: homedir() };
      const paths = (options.addPath ?? []).map((each) => addPathAsWritten(each, folders));
      const change = (text: string) => withOptions(text, name, options.branch, paths);
      const edit = await plannedEdit(context.stack, [name], editOf(name, change));
      const { provider } = requireDeclared(edit.fleet, name, "update");
      showEdit(edit);
      const isToAsk = edit.diff !== "";
      if (isToAsk && !(await confirmed(`Write this to ${edit.file} and apply it?`, command, options))) {
        printNote("Nothing was written.\n");
        process.exitCode = 1;
        return;
      }
      const before = readRecord(context.paths, name)?.applied?.commit;
      await writeAndApply(
        context,
        edit,
        { names: [name], shared: [forwardingServerType], modal: provider === "modal" },
        `${name} could not be updated, for the reason above; try again with: ${changelingCommand()} update ${name}`,
      );
      const result = await appliedWeb(context, name);
      const after = readRecord(context.paths, name)?.applied?.commit;
      const commits = { commitBefore: before ?? null, commit: after ?? null };
      answer(context, { ...result, ...commits }, `${appliedText(result)}${commitText(before, after)}`);
    });
}

function withOptions(text: string, name: string, branch: string | undefined, paths: readonly string[]): string {
  const withBranch = branch === undefined ? text : setOption(text, name, "branch", branch);
  if (paths.length === 0) return withBranch;
  const places = new Set(paths.map(destination));
  // A path with the same destination replaces the old one.
  const declared = optionIn(text, name, "add_paths");
  const before = Array.isArray(declared) ? declared.filter((each) => typeof each === "string") : [];
  const kept = before.filter((each) => !places.has(destination(each)));
  return setOption(withBranch, name, "add_paths", [...kept, ...paths]);
}

function destination(addPath: string): string {
  return addPath.slice(addPath.lastIndexOf(":") + 1);
}

function commitText(before: string | undefined, after: string | undefined): string {
  if (after === undefined || before === after) return "";
  return `\nIts source: ${before === undefined ? "" : `${before.slice(0, 10)} => `}${after.slice(0, 10)}`;
}
