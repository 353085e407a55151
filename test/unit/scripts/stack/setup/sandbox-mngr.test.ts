import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { cacheFolder, checkout } from "../../../../../scripts/stack/setup/cache.mjs";
import { readToolchain } from "../../../../../scripts/stack/setup/toolchain.mjs";

const home = mkdtempSync(join(tmpdir(), "home-"));
afterAll(() => rmSync(home, { recursive: true }));

it("sandboxes get the mngr on PATH where setup's Python is not found", () => {
  const { mngr = "" } = readToolchain() ?? {};
  const env = {
    ...{ HOME: home, PYENV_ROOT: home, CHANGELINGS_CACHE: cacheFolder() },
    PATH: [dirname(mngr), "/usr/bin", "/bin"].join(":"),
  };
  const script = join(checkout, "scripts/stack/setup/sandbox-tools.ts");
  const printed = execFileSync(process.execPath, [script, "mngr"], { env, encoding: "utf8" });
  const { parts, mounts } = JSON.parse(printed);
  expect(existsSync(join(parts.mngr, "node_modules/.bin/mngr"))).toBe(true);
  expect(existsSync(join(mounts["/opt/tools/mngr/packages"], "imbue/mngr"))).toBe(true);
});
