import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mngrClient } from "../../../components/mngr/client.ts";
import { installedVersion } from "../../../components/mngr/installed-version.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mngr-version-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A Python environment with mngr in these versions, whose program fails. @returns its folder of programs */
function environment(versions: readonly string[], firstLine?: string): string {
  const bin = join(folder, "venv", "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "mngr"), `${firstLine ?? `#!${join(bin, "python3.12")}`}\nexit 1\n`);
  chmodSync(join(bin, "mngr"), 0o755);
  for (const name of [...versions.map((version) => `imbue_mngr-${version}`), "imbue_mngr_modal-0.9.0"])
    mkdirSync(join(folder, "venv/lib/python3.12/site-packages", `${name}.dist-info`), { recursive: true });
  return bin;
}

describe("the version of an installed mngr", () => {
  it("is that of the package in the environment of the first mngr on PATH", () => {
    const links = join(folder, "links");
    mkdirSync(links);
    // No program: it can't be executed.
    writeFileSync(join(folder, "mngr"), "#!/other/bin/python3\n", { mode: 0o644 });
    symlinkSync(join(environment(["0.3.0"]), "mngr"), join(links, "mngr"));
    expect(installedVersion({ PATH: `${folder}:${links}:/nowhere` })).toBe("0.3.0");
  });

  it.each([
    ["no package is there", [], undefined],
    ["there are two", ["0.3.0", "0.4.0"], undefined],
    ["a shell script starts it", ["0.3.0"], "#!/bin/sh"],
  ])("is not known without starting it if %s", (_why, versions, firstLine) => {
    expect(installedVersion({ PATH: environment(versions, firstLine) })).toBeUndefined();
  });

  it.each(["", '"', "'"])("is found if a shell starts its Python, whose path is long or has spaces: in %j", (quote) => {
    const python = quote + join(folder, "venv", "bin", "python3") + quote;
    const start = `#!/bin/sh\n'''exec' ${python} "$0" "$@"\n' '''`;
    expect(installedVersion({ PATH: environment(["0.3.0"], start) })).toBe("0.3.0");
  });

  it("is checked without starting it", async () => {
    const PATH = environment(["0.2.9"]);
    await expect(mngrClient({ PATH }).checkVersion()).rejects.toThrow("mngr 0.2.9 is installed, but 0.3.0 is required");
  });
});

it("no mngr on PATH has no version", () => {
  expect(installedVersion({ PATH: folder })).toBeUndefined();
  expect(installedVersion({})).toBeUndefined();
});
