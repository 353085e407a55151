import { writeSync } from "node:fs";

/**
 * Prints why a daemon crashes to stderr, whose tail its supervisor keeps. `process.stderr` throws when the disk is
 * full; inside a crash handler that would end Node with another exit code.
 */
export function printToStderr(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // There is nowhere left to report it.
  }
}
