import { readFileSync, rmdirSync, writeFileSync } from "node:fs";

/** Writes to a file of a control group. @returns false if it does not exist or is not writable */
export function writeControl(file: string, value: string): boolean {
  try {
    // In a folder that is not a control group, this would create an ordinary file.
    readFileSync(file);
    writeFileSync(file, value);
    return true;
  } catch {
    return false;
  }
}

/** Removes a control group, if it exists and none of its processes is still ending. */
export function removeControlGroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Never created, or a process of it is still ending.
  }
}
