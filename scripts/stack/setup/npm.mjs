// @ts-check
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { run } from "./run.mjs";

/**
 * How to start npm: the one that started us, else the one on PATH.
 * @param {string} node
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {[string, ...string[]]}
 */
export function npm(node, env = process.env) {
  const running = env.npm_execpath;
  return running && basename(running) === "npm-cli.js" ? [node, running] : ["npm"];
}

/** Install scripts are disabled: none of our packages needs them, and some download from elsewhere. */
export const NPM_FLAGS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];

/**
 * Installs one package, whose integrity is checked, into `node_modules` of an empty folder, without its dependencies.
 * @param {{ name: string, version: string, integrity: string }} wanted
 * @param {{ log: string, folder: string }} options
 */
export async function installPackage({ name, version, integrity }, { log, folder }) {
  const project = { name: "one-package", version: "0.0.0", dependencies: { [name]: version } };
  const packages = { "": project, [`node_modules/${name}`]: { version, integrity } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(project));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ ...project, lockfileVersion: 3, packages }));
  await run([...npm(process.execPath), "ci", ...NPM_FLAGS], { log, cwd: folder, timeoutSeconds: 600 });
}
