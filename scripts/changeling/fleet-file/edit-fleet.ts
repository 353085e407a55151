import { statSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { formatDiagnostics } from "../../../components/fleet/diagnostics.ts";
import { readTextIfAny, writeWholeFile } from "../../../components/host/files.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { secretRemedy } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import type { Stack } from "../../stack/stack.ts";
import { fleetOf } from "../stack-fleet.ts";
import { colouredDiff, unifiedDiff } from "../terminal/unified-diff.ts";

/** A validated edit of a stack's fleet file that is not written yet. */
export interface PlannedEdit {
  readonly file: string;
  readonly before: string;
  readonly after: string;
  /** The fleet that the edited file declares. */
  readonly fleet: Fleet;
  /** A unified diff like `diff -u`; empty if nothing changes. */
  readonly diff: string;
}

/**
 * Validates an edit of the fleet file: the whole new text, as `validate` does. Writes nothing.
 *
 * @param applied names of the changelings to apply; missing secrets of others are no obstacle
 * @param change returns the new text; an absent file is empty
 * @throws with every diagnostic, its line and its remedy, if the new text is invalid; with any missing secrets
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
  const { file, fleet, diagnostics, missingSecrets } = await fleetOf(stack, { edit });
  if (fleet === undefined) {
    const what = after === before ? "the fleet file has errors" : "with this change the fleet file has errors";
    throw new Error(`${what}; nothing was written:\n${formatDiagnostics(diagnostics)}`);
  }
  if (diagnostics.length > 0) printNote(`${formatDiagnostics(diagnostics)}\n`);
  const missing = missingSecrets.filter(({ changeling }) => applied.includes(changeling));
  if (missing.length > 0) {
    const lines = missing.map(({ changeling, names }) => `${changeling} needs ${names.join(" or ")}`);
    const name = missing[0]?.names[0];
    throw new Error(`${lines.join("\n")}; nothing was written\n${secretRemedy(name ?? "")}`);
  }
  return { file, before, after, fleet, diff: unifiedDiff(file, before, after) };
}

/**
 * Writes a planned edit atomically, and keeps the file's permissions.
 * @throws if the file was changed since it was read
 */
export function writeEdit({ file, before, after }: PlannedEdit): void {
  if (before === after) return;
  if ((readTextIfAny(file) ?? "") !== before) {
    throw new Error(`${file} was changed in the meantime; nothing was written, run it again`);
  }
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0o600;
  writeWholeFile(file, after, { mode: mode & 0o777 });
}

/** Shows an edit on stderr, so that it does not mix with an answer. */
export function showEdit({ diff }: PlannedEdit): void {
  if (diff !== "") process.stderr.write(`${colouredDiff(diff, process.stderr)}\n`);
}

/** Asks for confirmation. @returns false for anything but yes @throws CommanderError without a terminal */
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
  // Nothing has been changed yet.
  prompt.once("SIGINT", () => process.exit(130));
  prompt.once("close", () => process.stdin.unref());
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}
