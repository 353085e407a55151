// @ts-check
import { basename } from "node:path";

/**
 * How to start the npm that started us, else the one on PATH.
 * @param {string} node
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {[string, ...string[]]}
 */
export function npm(node, env = process.env) {
  const running = env.npm_execpath;
  return running && basename(running) === "npm-cli.js" ? [node, running] : ["npm"];
}

/** Install scripts are not run: nothing that is installed here needs them, and some download from elsewhere. */
export const NPM_FLAGS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
