import { readFileSync, statSync } from "node:fs";
import type { Command } from "commander";
import { writeWholeFile } from "../../components/files.ts";
import { setEnabled } from "../../components/fleet/edit.ts";
import { pulumi } from "../stack.ts";
import { answer, contextOf, fleetOf, requireSound } from "./context.ts";
import { webInstead } from "./kinds.ts";
import { examples } from "./program.ts";

export function addPause(program: Command): void {
  for (const [verb, description] of [
    ["pause", "set `enabled = false` in the fleet file, and apply: it fires no more by its schedule"],
    ["resume", "set `enabled = true` in the fleet file, and apply"],
  ] as const) {
    program
      .command(verb)
      .argument("<name>", "the changeling")
      .description(description)
      .addHelpText("after", examples(`${verb} fixme-fairy`, `${verb} fixme-fairy --json`))
      .action((name: string, _options: unknown, command: Command) => setAndApply(name, verb, command));
  }
}

async function setAndApply(name: string, verb: "pause" | "resume", command: Command): Promise<void> {
  const enabled = verb === "resume";
  const context = contextOf(command);
  const loaded = await fleetOf(context.stack);
  const declared = requireSound(loaded).changelings.find((changeling) => changeling.name === name);
  if (declared === undefined) throw new Error(`${loaded.file} declares no changeling "${name}"`);
  if (declared.kind === "web") throw webInstead(name, verb);
  const state = enabled ? "enabled" : "paused";
  if (declared.enabled !== enabled) {
    const text = readFileSync(loaded.file, "utf8");
    // As private as it was: a fleet file may hold things that others must not read.
    writeWholeFile(loaded.file, setEnabled(text, name, enabled), { mode: statSync(loaded.file).mode & 0o777 });
    process.stderr.write(`${loaded.file}: [changelings.${name}] enabled = ${enabled}\n`);
  }
  const options = ["--yes", "--skip-preview", "--suppress-outputs", "--color", "never"];
  const { code, stdout, stderr } = await pulumi(context.stack, ["up", ...options], { capture: true });
  if (code !== 0) {
    const reason = diagnosticsOf(stdout) ?? `${stdout}${stderr}`.trim();
    throw new Error(`the file says that ${name} is ${state}, but it could not be applied:\n${reason}`);
  }
  answer(context, { name, enabled }, `${name} is ${state}.`);
}

/** What the engine says went wrong, without its progress. */
function diagnosticsOf(output: string): string | undefined {
  return /^Diagnostics:\n(.*?)\n(?:Resources|Outputs):/ms.exec(output)?.[1]?.trim();
}
