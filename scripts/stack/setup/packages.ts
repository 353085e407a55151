import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder, checkout, keyOf } from "./cache.mjs";
import { installFolder } from "./install.mjs";
import { withLock } from "./lock.mjs";
import { NPM_FLAGS, npm } from "./npm.mjs";
import { SetupError, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { packagesAreReady, packagesKey, packagesStamp } from "./toolchain.mjs";

const modules = dirname(packagesStamp);

/** Makes node_modules match package-lock.json, from an earlier clone's copy if there is one. */
export async function installPackages(): Promise<void> {
  if (packagesAreReady()) return;
  const log = `packages-${keyOf({ texts: [checkout] })}`;
  await withLock(log, async () => {
    if (packagesAreReady()) return;
    rmSync(packagesStamp, { force: true });
    await step("Installing the npm packages", async () => {
      if (!(await copyFromCache(log))) {
        await installFromRegistry(log);
        await copyToCache(log);
      }
      writeFileSync(packagesStamp, packagesKey());
    });
  });
}

async function installFromRegistry(log: string): Promise<void> {
  try {
    await run([...npm(process.execPath), "ci", ...NPM_FLAGS, "--prefer-offline"], { log, cwd: checkout });
  } catch (error) {
    if (error instanceof SetupError) error.remedy = "To see the whole error, run `npm ci` in the checkout.";
    throw error;
  }
}

const cached = (): string => join(cacheFolder(), "packages", packagesKey());

/** @returns false if there is no copy, or it can't be read */
async function copyFromCache(log: string): Promise<boolean> {
  if (!existsSync(cached())) return false;
  rmSync(modules, { recursive: true, force: true });
  try {
    await run(["cp", "-a", join(cached(), "node_modules"), modules], { log });
    return true;
  } catch (error) {
    if (error instanceof SetupError) return false;
    throw error;
  }
}

/** Saves a copy for the next clone. A full disk is not an error. */
async function copyToCache(log: string): Promise<void> {
  const folder = cached();
  mkdirSync(dirname(folder), { recursive: true });
  try {
    // "/." follows a link. A copied link would lead every other clone into this one.
    await installFolder(folder, (temporary) =>
      run(["cp", "-a", `${modules}/.`, join(temporary, "node_modules")], { log }),
    );
    // One copy is enough: a clone of another version already has its node_modules, or uses the registry.
    for (const name of readdirSync(dirname(folder))) {
      if (/^[0-9a-f]+$/.test(name) && name !== packagesKey()) {
        rmSync(join(dirname(folder), name), { recursive: true, force: true });
      }
    }
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
  }
}

/**
 * Adds a file of this clone's node_modules to the copy for the next clone, unless that can't be written.
 *
 * @param file relative to node_modules
 */
export function shareWithNextClone(file: string): void {
  if (!existsSync(cached())) return;
  const shared = join(cached(), "node_modules", file);
  const temporary = `${shared}.${process.pid}`;
  try {
    mkdirSync(dirname(shared), { recursive: true });
    copyFileSync(join(modules, file), temporary);
    renameSync(temporary, shared);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}
