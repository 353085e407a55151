import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { packageVersion } from "../../../../scripts/changeling/doctor/package-version.ts";

const folder = mkdtempSync(join(tmpdir(), "package-version-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** An environment with these packages, whose programs are linked to from a folder of PATH. */
function environment(name: string, ...packages: string[]): string {
  const at = join(folder, name.replaceAll(" ", "-"));
  for (const each of packages) mkdirSync(join(at, "lib/python3.12/site-packages", each), { recursive: true });
  for (const each of ["bin", "programs"]) mkdirSync(join(at, each), { recursive: true });
  writeFileSync(join(at, "bin/python"), "");
  writeFileSync(join(at, "bin/mngr"), `#!${at}/bin/python\nimport sys\n`);
  symlinkSync(join(at, "bin/mngr"), join(at, "programs/mngr"));
  return join(at, "programs");
}

it.each([
  ["one package", ["imbue_mngr-0.3.0.dist-info", "imbue_mngr_modal-0.1.1.dist-info", "modal-1.5.4.dist-info"], "0.3.0"],
  ["what two installs left", ["imbue_mngr-0.3.0.dist-info", "imbue_mngr-0.2.0.dist-info"], undefined],
  ["another way of installing it", ["imbue_mngr"], undefined],
])("finds the version of a command without starting it: %s", (name, packages, expected) => {
  expect(packageVersion("mngr", "imbue_mngr", `/nowhere:${environment(name, ...packages)}`)).toBe(expected);
});

it("is undefined for a command that is not a Python script, or does not exist", () => {
  writeFileSync(join(folder, "mngr"), "#!/bin/sh\necho mngr 0.3.0\n");
  expect(packageVersion("mngr", "imbue_mngr", folder)).toBeUndefined();
  expect(packageVersion("mngr", "imbue_mngr", "/nowhere")).toBeUndefined();
});
