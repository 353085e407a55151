import { existsSync, readdirSync } from "node:fs";
import type { Command } from "commander";
import { setOption } from "../../components/fleet/edit.ts";
import { declaredNames, optionIn, removeChangeling } from "../../components/fleet/edit-tables.ts";
import { removeWeb } from "../../components/web/local/remove.ts";
import { webAgents } from "../../components/web/local/web-agents.ts";
import { readRecord, type WebRecord } from "../../components/web/record.ts";
import { installationOf } from "../stack.ts";
import { applyPart } from "./apply.ts";
import { answer, type Context, contextOf } from "./context.ts";
import { confirmed, plannedEdit, showEdit, writeEdit } from "./edit-fleet.ts";
import { editOf } from "./kinds.ts";
import { yesOption } from "./options.ts";
import { examples } from "./program.ts";

interface Options {
  readonly data?: boolean;
  readonly yes?: boolean;
}

export function addDestroy(program: Command): void {
  program
    .command("destroy")
    .argument("<name>", "the changeling")
    .option("--data", "remove a web changeling's data and repo too; without it they are kept")
    .addOption(yesOption())
    .description("take a changeling out of the fleet file, and apply: its agent is stopped and removed")
    .addHelpText(
      "after",
      `
The data and the repo of a web changeling are kept, and it says where; declared again, it gets them back. --data removes
them for good, also those of one that was removed before.
When it fails, run it again: what is gone already is passed over.
${examples("destroy elena", "destroy elena --data", "destroy elena --yes --json")}`,
    )
    .action(async (name: string, { data = false, yes = false }: Options, command: Command) => {
      const context = contextOf(command);
      const record = readRecord(context.paths, name);
      const edit = await plannedEdit(context.stack, (text) => withoutIt(text, name, record));
      const isKeptOnly = edit.before === edit.after && record?.removed === true;
      if (isKeptOnly && !data) throw new Error(alreadyRemoved(record));
      showEdit(edit);
      if (!(await confirmed(questionOf(name, record, data), command, { yes }))) {
        process.stderr.write("Nothing was touched.\n");
        process.exitCode = 1;
        return;
      }
      if (!isKeptOnly) {
        if (data && record?.provider === "modal") await doomData(context, name);
        writeEdit(data && record?.provider === "modal" ? await plannedEdit(context.stack, taken(name)) : edit);
        const failure = `${edit.file} does not declare ${name} any more, but it could not be removed, for the reason above`;
        await applyPart(
          context,
          { names: [name], forwarding: true },
          `${failure}\ntry again with: ${again(name, data)}`,
        );
      }
      await removeRest(context, name, data);
      const kept = keptOf(readRecord(context.paths, name));
      answer(context, { name, removed: true, kept }, removedText(name, kept));
    });
}

const taken = (name: string) => (text: string) => removeChangeling(text, name);
const again = (name: string, data: boolean) => `changeling destroy ${name}${data ? " --data" : ""}`;

/** One that is not declared any more, and of which something still stands, needs no edit. */
function withoutIt(text: string, name: string, record: WebRecord | undefined): string {
  if (record !== undefined && !declaredNames(text).has(name)) return text;
  return editOf(name, taken(name))(text);
}

/** On Modal the data goes with what removes the rest, which works from what was applied last: so it is told so first. */
async function doomData(context: Context, name: string): Promise<void> {
  const edit = await plannedEdit(context.stack, (text) =>
    optionIn(text, name, "destroy_data") === true ? text : setOption(text, name, "destroy_data", true),
  );
  writeEdit(edit);
  const failure = `${edit.file} says destroy_data = true for ${name}, but that could not be applied, for the reason above`;
  await applyPart(context, { names: [name] }, `${failure}; nothing was removed\ntry again with: ${again(name, true)}`);
}

/** What Pulumi left: the data, when it is to go, and all of one whose creation failed, of which it does not know. */
async function removeRest({ paths, stack }: Context, name: string, data: boolean): Promise<void> {
  const record = readRecord(paths, name);
  if (record?.provider !== "local" || (record.removed === true && !data)) return;
  const isEmpty = record.removed !== true && record.applied === undefined && !holdsFiles(record.data);
  const removal = { name, mngrProfile: record.mngrProfile, destroyData: data || isEmpty };
  await removeWeb(removal, webAgents(installationOf(stack), paths));
}

function holdsFiles(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) => !entry.isDirectory());
}

interface Kept {
  /** Absolute paths; null: there is none. */
  readonly repo: string | null;
  readonly data: string | null;
}

function keptOf(record: WebRecord | undefined): Kept | null {
  if (record === undefined) return null;
  const stands = (place: string) => (record.provider !== "local" || existsSync(place) ? place : null);
  return { repo: stands(record.repo), data: stands(record.data) };
}

function questionOf(name: string, record: WebRecord | undefined, data: boolean): string {
  if (record === undefined) return `Remove ${name}?`;
  return data
    ? `Remove ${name}, its data in ${record.data} and its repo in ${record.repo} for good?`
    : `Remove ${name}? Its data is kept in ${record.data}, its repo in ${record.repo}.`;
}

function alreadyRemoved({ name, data, repo }: WebRecord): string {
  return `${name} was removed already; its data (${data}) and its repo (${repo}) are kept. Remove them with: ${again(name, true)}`;
}

function removedText(name: string, kept: Kept | null): string {
  const places = Object.entries(kept ?? {}).flatMap(([what, place]) => (place === null ? [] : [`  ${what}  ${place}`]));
  if (places.length === 0) return `${name} is removed.`;
  return [`${name} is removed. Kept, and given back when it is declared again:`, ...places].join("\n");
}
