import { existsSync } from "node:fs";
import type { Command } from "commander";
import { declaredNames, removeChangeling } from "../../../components/fleet/edit-tables.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { readRecord, type WebRecord } from "../../../components/web/agent/record.ts";
import { forwardingServerType } from "../../../components/web/command-suffixes.ts";
import { answer, contextOf } from "../context.ts";
import { writeAndApply } from "../fleet-file/apply.ts";
import { confirmed, plannedEdit, showEdit } from "../fleet-file/edit-fleet.ts";
import { editOf } from "../kinds.ts";
import { examples, yesOption } from "../options.ts";
import { removeRest } from "./remove-rest.ts";

interface Options {
  readonly data?: boolean;
  readonly yes?: boolean;
}

export function addDestroy(program: Command): void {
  program
    .command("destroy")
    .argument("<name>", "the changeling")
    .option("--data", "also delete a web changeling's data and repository, which are kept otherwise")
    .addOption(yesOption())
    .description("remove a changeling from the fleet file and apply that: its agent is stopped and removed")
    .addHelpText(
      "after",
      `
A web changeling's data and repository are kept, and the command prints where; they are used again when it is declared
again. --data deletes them, also those of a changeling that was removed before.
If it fails, run it again: it skips what is already gone.
${examples("destroy elena", "destroy elena --data", "destroy elena --yes --json")}`,
    )
    .action(async (name: string, { data = false, yes = false }: Options, command: Command) => {
      const context = contextOf(command);
      const record = readRecord(context.paths, name);
      const edit = await plannedEdit(context.stack, [name], (text) => withoutIt(text, name, record));
      // For Modal, Pulumi's removal also deletes the local record, so a retry would not find the data.
      const isForgotten = data && record?.provider === "modal";
      const isKeptOnly = edit.before === edit.after && record?.removed === true;
      if (isKeptOnly && !data) throw new Error(alreadyRemoved(record));
      showEdit(edit);
      if (!(await confirmed(questionOf(name, record, data), command, { yes }))) {
        printNote("Nothing was changed.\n");
        process.exitCode = 1;
        return;
      }
      if (!isKeptOnly) {
        const failure = `${edit.file} no longer declares ${name}, but it could not be removed, for the reason above`;
        await writeAndApply(
          context,
          edit,
          { names: [name], shared: [forwardingServerType] },
          `${failure}\ntry again with: ${again(name, data)}`,
          async () => {
            if (isForgotten) await removeRest(context, record, data);
          },
        );
      }
      if (record !== undefined && !isForgotten) await removeRest(context, record, data);
      const kept = keptOf(readRecord(context.paths, name));
      answer(context, { name, removed: true, kept }, removedText(name, kept));
    });
}

const again = (name: string, data: boolean) => `changeling destroy ${name}${data ? " --data" : ""}`;

/** No edit is needed if it is no longer declared but leftovers exist. */
function withoutIt(text: string, name: string, record: WebRecord | undefined): string {
  if (record !== undefined && !declaredNames(text).has(name)) return text;
  return editOf(name, (declared) => removeChangeling(declared, name))(text);
}

interface Kept {
  /** Absolute paths; null if none. */
  readonly repo: string | null;
  readonly data: string | null;
}

function keptOf(record: WebRecord | undefined): Kept | null {
  if (record === undefined) return null;
  const ifKept = (place: string) => (record.provider !== "local" || existsSync(place) ? place : null);
  return { repo: ifKept(record.repo), data: ifKept(record.data) };
}

function questionOf(name: string, record: WebRecord | undefined, data: boolean): string {
  if (record === undefined) return `Remove ${name}?`;
  return data
    ? `Remove ${name}, its data in ${record.data} and its repo in ${record.repo} for good?`
    : `Remove ${name}? Its data is kept in ${record.data}, its repo in ${record.repo}.`;
}

function alreadyRemoved({ name, data, repo }: WebRecord): string {
  return `${name} was already removed; its data (${data}) and its repo (${repo}) are kept. Remove them with: ${again(name, true)}`;
}

function removedText(name: string, kept: Kept | null): string {
  const places = Object.entries(kept ?? {}).flatMap(([what, place]) => (place === null ? [] : [`  ${what}  ${place}`]));
  if (places.length === 0) return `${name} is removed.`;
  return [`${name} is removed. These are kept, and used again if it is declared again:`, ...places].join("\n");
}
