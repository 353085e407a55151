import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ensureDevStack } from "../../../../scripts/stack/dev-stack.ts";

it("says that the home folder can't be written to", () => {
  const folder = mkdtempSync(join(tmpdir(), "home-"));
  try {
    const home = join(folder, "file", "home");
    writeFileSync(join(folder, "file"), "");
    expect(() => ensureDevStack(home)).toThrow(
      `${home}/.changelings/dev/backend can't be created: ENOTDIR: not a directory, access '${home}'\nset HOME to a folder that you may write to`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
