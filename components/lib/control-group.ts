import { readFileSync, rmdirSync, writeFileSync } from "node:fs";

/** Writes to a file of a control group. @returns false if it is not there, or not writable */
export function writeControl(file: string, value: string): boolean {
  try {
    // A folder that is no cgroup would get an ordinary file.
    readFileSync(file);
    writeFileSync(file, value);
    return true;
  } catch {
    return false;
  }
}

/** Removes a control group, if it is there and no process of it is still ending. */
export function removeControlGroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Never made, or a process of it is still ending.
  }
}
