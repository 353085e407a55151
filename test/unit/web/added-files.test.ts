import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fingerprintOfAdded } from "../../../components/web/added-paths.ts";

it("fingerprintOfAdded changes with all that is copied, and with nothing else", () => {
  const home = mkdtempSync(join(tmpdir(), "added-"));
  try {
    const folder = join(home, "folder");
    mkdirSync(folder);
    const file = join(folder, "a.txt");
    const fingerprint = () => fingerprintOfAdded([{ from: folder, to: "docs" }]);
    const seen = [fingerprint()];
    const changes = [
      () => writeFileSync(file, "one"),
      () => writeFileSync(file, "two"),
      () => chmodSync(file, 0o755),
      () => symlinkSync("a.txt", join(folder, "link")),
      () => rmSync(join(folder, "link")),
      () => symlinkSync("b.txt", join(folder, "link")),
      () => writeFileSync(join(folder, "b.txt"), "one"),
    ];
    for (const change of changes) {
      change();
      seen.push(fingerprint());
    }
    // Taking the first link away leads back to what was before it.
    expect(new Set(seen).size).toBe(seen.length - 1);
    expect(seen[5]).toBe(seen[3]);
    const before = fingerprint();
    mkdirSync(join(folder, ".git"));
    writeFileSync(join(folder, ".git", "HEAD"), "not copied");
    expect(fingerprint()).toBe(before);
    expect(fingerprint()).toMatch(/^[0-9a-f]{12}$/);
    expect(fingerprintOfAdded([{ from: folder, to: "elsewhere" }])).not.toBe(before);
    expect(fingerprintOfAdded([])).toBeUndefined();
  } finally {
    rmSync(home, { recursive: true });
  }
});
