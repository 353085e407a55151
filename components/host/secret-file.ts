import { closeSync, constants, mkdtempSync, openSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Lends a 0600 file that has no name any more when the text comes into it: whatever happens to this process, and
 * whenever, nothing is left behind.
 *
 * @param use is given the file, open at its beginning; a child that inherits it as its file 3 reads /dev/fd/3
 */
export async function withSecretFile<Result>(text: string, use: (file: number) => Promise<Result>): Promise<Result> {
  const file = openNameless();
  try {
    const bytes = Buffer.from(text);
    // At positions: where a child's /dev/fd shares the place at which it reads (macOS), that stays the beginning.
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
