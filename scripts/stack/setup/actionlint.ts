import { join } from "node:path";
import { cacheFolder, keyOf, platform } from "./cache.mjs";
import { buildGoProgram, type Go, withGo } from "./go.ts";
import { installFolder } from "./install.mjs";
import { SetupError, step } from "./progress.mjs";
import { findPython } from "./python.ts";
import { which } from "./toolchain.mjs";

/** Returns the path of actionlint: from PATH, else built from its Go module into the cache. */
export async function findActionlint(): Promise<string> {
  const own = which("actionlint");
  if (own !== null) return own;
  const folder = join(
    cacheFolder(),
    "actionlint",
    keyOf({ texts: [platform], paths: ["scripts/stack/setup/go/actionlint"] }),
  );
  await installFolder(folder, async (temporary) => {
    await withGo(await findPython(), (go) =>
      step("Building actionlint (half a minute, once)", () => build(go, temporary)),
    );
  });
  return join(folder, "actionlint");
}

async function build(go: Go, folder: string): Promise<void> {
  try {
    await buildGoProgram(go, { name: "actionlint", module: "github.com/rhysd/actionlint/cmd/actionlint" }, folder);
  } catch (error) {
    if (error instanceof SetupError)
      error.remedy = "Check that Go can reach its module proxy, or install actionlint yourself.";
    throw error;
  }
}
