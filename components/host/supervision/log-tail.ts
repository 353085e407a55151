import { writeSync } from "node:fs";

/**
 * For a daemon that crashes: says why on stderr, whose end its supervisor keeps. `process.stderr` throws when the disk
 * is full, and inside the handler of a crash that would end Node in its own way, with an exit code of its own.
 */
export function sayOnStderr(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // There is nowhere left to say it.
  }
}
