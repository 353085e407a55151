import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** The deployed program: `app.py` and the files it bundles. */
export const programFolder = join(here, "program");

/** What its containers install: mngr and modal, each file pinned by hash. */
export const programRequirements = findUp(join("scripts", "stack", "setup", "requirements.txt"));

let fingerprint: string | undefined;

/** Changes with every deployed file other than the spec: 12 hex digits. */
export function programFingerprint(): string {
  fingerprint ??= fingerprintOf([
    ...readdirSync(programFolder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => join(programFolder, name))
      .sort(),
    // app.py bundles these too.
    ...["run-command.sh", "git-work.sh"].map((file) => join(here, "..", "local", "runs", file)),
    join(here, "..", "..", "lib", "mask.awk"),
    programRequirements,
  ]);
  return fingerprint;
}

function fingerprintOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file.slice(file.lastIndexOf("/"))}\0`).update(readFileSync(file));
  return hash.digest("hex").slice(0, 12);
}

/** The built package contains the same tree one folder deeper. */
function findUp(path: string): string {
  for (let folder = here; ; folder = dirname(folder)) {
    const found = join(folder, path);
    if (existsSync(found)) return found;
    if (folder === dirname(folder)) throw new Error(`${path} is missing above ${here}`);
  }
}
