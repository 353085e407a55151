// @ts-check
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installFolder } from "./install.mjs";
import { NPM_FLAGS, npm } from "./npm.mjs";
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
      const project = { name: "node-for-changelings", version: "0.0.0", dependencies: { [name]: version } };
      const lock = {
        ...project,
        lockfileVersion: 3,
        packages: { "": project, [`node_modules/${name}`]: { version, integrity } },
      };
      writeFileSync(join(folder, "package.json"), JSON.stringify(project));
      writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
      try {
        await run([...npm(process.execPath), "ci", ...NPM_FLAGS], { log: "node", cwd: folder, timeoutSeconds: 600 });
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
