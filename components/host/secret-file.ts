import { closeSync, constants, mkdtempSync, openSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Lends a 0600 file that is unlinked before the text is written to it. Nothing is left on disk, even if this process is
 * killed.
 *
 * @param use receives the file, positioned at its start; a child that inherits it as file descriptor 3 reads /dev/fd/3
 */
export async function withSecretFile<Result>(text: string, use: (file: number) => Promise<Result>): Promise<Result> {
  const file = openNameless();
  try {
    const bytes = Buffer.from(text);
    // Written at explicit positions: where a child's /dev/fd shares the read offset (macOS), it stays at the start.
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, at);
    return await use(file);
  } finally {
    closeSync(file);
  }
}

function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), "changelings-"));
  try {
    const path = join(folder, "values");
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    return file;
  } finally {
    rmdirSync(folder);
  }
}
