// @ts-check
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installFolder } from "./install.mjs";
import { installPackage } from "./npm.mjs";
import { SetupError, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { cachedNode, nodePackage } from "./toolchain.mjs";

const REMEDY = "Install Node 24 or later (https://nodejs.org/en/download) and run the same command again.";

/** Installs a Node that runs TypeScript into the cache, from npm, and checks it against versions.json. */
export async function installNode() {
  const found = nodePackage();
  if (found === undefined) {
    throw new SetupError(`no Node for ${process.platform} on ${process.arch} is known here`, { remedy: REMEDY });
  }
  const { name, version, integrity } = found;
  await installFolder(join(cachedNode(), "../.."), (folder) =>
    step(`Installing Node ${version} beside your own ${process.versions.node}`, async () => {
      try {
        await installPackage({ name, version, integrity }, { log: "node", folder });
      } catch (error) {
        if (error instanceof SetupError) error.remedy = REMEDY;
        throw error;
      }
      mkdirSync(join(folder, "bin"));
      renameSync(join(folder, "node_modules", name, "bin/node"), join(folder, "bin/node"));
      for (const rest of ["node_modules", "package.json", "package-lock.json"]) {
        rmSync(join(folder, rest), { recursive: true });
      }
      await run([join(folder, "bin/node"), "--version"], { log: "node" });
    }),
  );
}
