// @ts-check
import { basename } from "node:path";

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
