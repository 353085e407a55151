import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { noTinyDisk, runOnTinyDisk } from "../../support/full-disk.ts";

const obstacle = noTinyDisk();
if (obstacle !== undefined) process.stderr.write(`not tried on a disk that is full: ${obstacle}\n`);

it.skipIf(obstacle !== undefined)("a disk that is full takes no daemon, no login's end and no file with it", () => {
  const folder = mkdtempSync(join(tmpdir(), "full-disk-"));
  try {
    expect(runOnTinyDisk("full-disk-program.ts", folder)).toEqual({
      wasIn: true,
      // Half of it fitted: what was there before stays, whole.
      half: "full",
      whole: "the old content",
      logged: "done",
      revoked: expect.toBeOneOf([true, "recorded"]),
      isInAfterRevoke: false,
      isInAfterRestart: false,
      pageRevoked: "full",
      second: "done",
      became: "done",
      alive: true,
      logText: expect.stringMatching(
        /^TIME there is room\n[^\n]*\nTIME 1 line could not be written here since TIME: ENOSPC: [^\n]+\nTIME there is room again\n$/,
      ),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
