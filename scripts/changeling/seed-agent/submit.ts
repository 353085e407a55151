import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { answer } from "../context.ts";
import { examples } from "../options.ts";
import { seedContext } from "./agent-of.ts";
import { changedFiles, isEmptyFolder, readCheckedOut, readSources, writeSources } from "./sources.ts";
import { answerChange, follow } from "./wait.ts";

interface SubmitOptions {
  readonly summary: string;
  readonly mayDiffer?: boolean;
  readonly wait?: boolean;
}

export function addSubmit(seed: Command): void {
  seed
    .command("submit")
    .argument("<name>", "the seed agent")
    .argument("<folder>", "its sources, changed: what `seed checkout` made")
    .requiredOption("--summary <text>", "what it changes and why, in a sentence")
    .option("--may-differ", "its answers to recorded requests may differ; a person then approves it in any case")
    .option("-w, --wait", "wait until it is active or ended, or waits for approval, and print each step")
    .description("submit a change: it is checked and tried, and then activated, or waits for your approval")
    .addHelpText(
      "after",
      examples(
        "seed checkout sprout ./sprout",
        'seed submit sprout ./sprout --summary "Answer greetings" --wait',
        'seed submit sprout ./sprout --summary "Answer in German" --may-differ --json',
      ),
    )
    .action(async (name: string, folder: string, options: SubmitOptions, command: Command) => {
      const context = await seedContext(command, name);
      if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
        throw new Error(
          `there is no folder ${folder}; make one with: ${changelingCommand()} seed checkout ${name} ${folder}`,
        );
      const { client } = context;
      const from = readCheckedOut(folder);
      if (from !== undefined && from.agent !== name)
        throw new Error(`${folder} was checked out from ${from.agent}; check ${name} out into another folder`);
      const base = from?.version ?? (await client.status()).active;
      const files = changedFiles((await client.version(base)).sources, readSources(folder));
      if (Object.keys(files).length === 0) throw new Error(`nothing to submit: ${folder} has the sources of ${base}`);
      const answers = options.mayDiffer === true ? "may differ" : "same";
      const change = await client.submit({ files, summary: options.summary, base, answers });
      answerChange(context, options.wait === true ? await follow(context, change) : change);
    });
}

export function addCheckout(seed: Command): void {
  seed
    .command("checkout")
    .argument("<name>", "the seed agent")
    .argument("<folder>", "an empty or new folder, or an earlier checkout")
    .option("--version <id>", "another version than the active one")
    .option("-f, --force", "overwrite the files of an earlier checkout")
    .description("write the sources of the active version, with types, so that an editor checks them")
    .addHelpText("after", examples("seed checkout sprout ./sprout", "seed checkout sprout ./old --version v3"))
    .action(async (name: string, folder: string, options: { version?: string; force?: boolean }, command: Command) => {
      const context = await seedContext(command, name);
      const { client } = context;
      if (!isEmptyFolder(folder) && (options.force !== true || readCheckedOut(folder) === undefined)) {
        const remedy =
          readCheckedOut(folder) === undefined ? "name an empty or new folder" : "add --force to overwrite it";
        throw new Error(`${folder} is not empty; ${remedy}`);
      }
      const id = options.version ?? (await client.status()).active;
      const { sources } = await client.version(id);
      writeSources(folder, sources, { agent: name, version: id });
      const files = Object.keys(sources).sort();
      const text = `${id} of ${name} is in ${folder}: ${files.join(", ")}
edit it, then: ${changelingCommand()} seed submit ${name} ${folder} --summary "…" --wait`;
      answer(context, { agent: name, version: id, folder: resolve(folder), files }, text);
    });
}
