import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { printNote } from "../../components/lib/terminal.ts";

/**
 * Restores the state of a stack in a file backend from Pulumi's backup, if a full disk or a power failure has truncated
 * it: Pulumi can't work on the stack then. What was applied after the backup is applied again by the next `up`, whose
 * scripts are idempotent.
 *
 * @param stack.backendFolder the path in the backend's `file://` URL
 */
export function restoreState(stack: {
  readonly backendFolder: string;
  readonly project: string;
  readonly name: string;
}): void {
  const file = join(stack.backendFolder, ".pulumi", "stacks", stack.project, `${stack.name}.json`);
  if (!existsSync(file) || isWhole(file) || !isWhole(`${file}.bak`)) return;
  copyFileSync(`${file}.bak`, file);
  // They contain the checksum of the truncated file. Pulumi does not need them.
  rmSync(`${file}.attrs`, { force: true });
  printNote(`warning: ${file} was truncated, as by a full disk; its backup is used\n`);
}

function isWhole(file: string): boolean {
  try {
    JSON.parse(readFileSync(file, "utf8"));
    return true;
  } catch {
    return false;
  }
}
