import { rmSync, writeFileSync } from "node:fs";
import { checkout, keyOf } from "./cache.mjs";
import { withLock } from "./lock.mjs";
import { NPM_FLAGS, npm } from "./npm.mjs";
import { SetupError, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { packagesAreReady, packagesKey, packagesStamp } from "./toolchain.mjs";

/** Makes node_modules what package-lock.json says. */
export async function installPackages(): Promise<void> {
  if (packagesAreReady()) return;
  const name = `packages-${keyOf({ texts: [checkout] })}`;
  await withLock(name, async () => {
    if (packagesAreReady()) return;
    rmSync(packagesStamp, { force: true });
    await step("Installing the npm packages", async () => {
      try {
        await run([...npm(process.execPath), "ci", ...NPM_FLAGS, "--prefer-offline"], { log: name, cwd: checkout });
      } catch (error) {
        if (error instanceof SetupError) error.remedy = "Run `npm ci` in the checkout to see it fail by itself.";
        throw error;
      }
      writeFileSync(packagesStamp, packagesKey());
    });
  });
}
