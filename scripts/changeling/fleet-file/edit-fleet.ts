import { statSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { formatFaults } from "../../../components/fleet/diagnostics.ts";
import { readTextIfAny, writeWholeFile } from "../../../components/host/files.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { secretRemedy } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import type { Stack } from "../../stack/stack.ts";
import { fleetOf } from "../stack-fleet.ts";
import { colouredDiff, unifiedDiff } from "../terminal/unified-diff.ts";

/** An edit of a stack's fleet file that was checked, and not made yet. */
export interface PlannedEdit {
  readonly file: string;
  readonly before: string;
  readonly after: string;
  /** The fleet that the edited file declares. */
  readonly fleet: Fleet;
  /** As `diff -u` writes it; empty when nothing changes. */
  readonly diff: string;
}

/**
 * Checks an edit of the fleet file: the whole new text, as `validate` does. Nothing is written.
 *
 * @param applied names of the changelings that are to be applied then: what others lack stops nothing
 * @param change gives the new text; an absent file is empty
 * @throws with every fault, its line and its remedy, when the new text has one; with the secrets that are missing
 */
export async function plannedEdit(
  stack: Stack,
  applied: readonly string[],
  change: (text: string) => string,
): Promise<PlannedEdit> {
  let before = "";
  let after = "";
  const edit = (file: string) => {
    before = readTextIfAny(file) ?? "";
    after = change(before);
    return after;
  };
  const { file, fleet, faults, missingSecrets } = await fleetOf(stack, { edit });
  if (fleet === undefined) {
    const what = after === before ? "the fleet file has errors" : "with this change the fleet file has errors";
    throw new Error(`${what}; nothing was written:\n${formatFaults(faults)}`);
  }
  if (faults.length > 0) printNote(`${formatFaults(faults)}\n`);
  const missing = missingSecrets.filter(({ changeling }) => applied.includes(changeling));
  if (missing.length > 0) {
    const lines = missing.map(({ changeling, names }) => `${changeling} needs ${names.join(" or ")}`);
    const name = missing[0]?.names[0];
    throw new Error(`${lines.join("\n")}; nothing was written\n${secretRemedy(name ?? "")}`);
  }
  return { file, before, after, fleet, diff: unifiedDiff(file, before, after) };
}

/**
 * Writes a planned edit: whole or not at all, as private as the file was.
 * @throws when somebody has changed the file since it was read
 */
export function writeEdit({ file, before, after }: PlannedEdit): void {
  if (before === after) return;
  if ((readTextIfAny(file) ?? "") !== before) {
    throw new Error(`${file} was changed in the meantime; nothing was written, run it again`);
  }
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0o600;
  writeWholeFile(file, after, { mode: mode & 0o777 });
}

/** Shows an edit on stderr, where it does not mix with an answer. */
export function showEdit({ diff }: PlannedEdit): void {
  if (diff !== "") process.stderr.write(`${colouredDiff(diff, process.stderr)}\n`);
}

/** Asks before something is done. @returns false for anything but yes @throws CommanderError without a terminal to ask on */
export async function confirmed(
  question: string,
  command: Command,
  { yes = false }: { yes?: boolean },
): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    command.error("error: there is no terminal to confirm on; add --yes");
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Nothing was done yet.
  prompt.once("SIGINT", () => process.exit(130));
  prompt.once("close", () => process.stdin.unref());
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}
