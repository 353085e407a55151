// @ts-check
import { accessSync, constants, existsSync, readFileSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { cacheFolder, checkout, keyOf, platform, versions } from "./cache.mjs";

/**
 * What setup found or installed. All paths are absolute.
 * @typedef {object} Toolchain
 * @property {string} node Node 24 or later
 * @property {string} pulumi the CLI; its language host is beside it or on PATH
 * @property {string} pulumiHome the PULUMI_HOME in use: the user's own, or a private one with our stand-in plugins
 * @property {string | null} ownPulumiHome the user's own, which holds their login, if `pulumiHome` is private
 * @property {string} python from the environment with mngr and modal
 * @property {string} mngr
 * @property {string} modal
 * @property {string[]} needs other files that must exist: system tools
 */

/** The Node package for this machine. */
export function nodePackage() {
  return versions.node.packages[platform];
}

/** Where setup installs Node if the machine's own is too old. */
export function cachedNode() {
  return join(cacheFolder(), "node", nodePackage()?.version ?? "none", "bin/node");
}

/** A Node that runs TypeScript: this one, or the cached one. Null if setup has to install it. */
export function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= versions.node.minimum) return process.execPath;
  return existsSync(cachedNode()) ? cachedNode() : null;
}

/** Records which package-lock.json node_modules was made from. */
export const packagesStamp = join(checkout, "node_modules/.changelings-setup");

export function packagesKey() {
  return keyOf({ texts: [platform], paths: ["package-lock.json"] });
}

export function packagesAreReady() {
  try {
    return readFileSync(packagesStamp, "utf8") === packagesKey();
  } catch {
    return false;
  }
}

/**
 * The user's own PULUMI_HOME, even if this process was started with a private one.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function ownPulumiHome(env = process.env) {
  const home = env.PULUMI_HOME;
  if (home && !home.startsWith(cacheFolder(env) + sep)) return resolve(home);
  return (home && env.PULUMI_CREDENTIALS_PATH) || join(env.HOME || homedir(), ".pulumi");
}

/** The sources of the stand-in plugins. */
export const standInSources = ["scripts/stack/plugins"];

/** The sources of the lean Pulumi CLI, in addition to its version. */
export const leanSources = [
  "scripts/stack/setup/go/pulumi",
  "scripts/stack/setup/go/pulumi-language-nodejs",
  "scripts/stack/setup/lean-pulumi.ts",
];

/** The file where setup records the toolchain. It differs for each set of versions and each PULUMI_HOME. */
export function toolchainFile() {
  const key = keyOf({
    texts: [platform, ownPulumiHome()],
    paths: [
      "scripts/stack/setup/versions.json",
      "scripts/stack/setup/requirements.txt",
      ...leanSources,
      ...standInSources,
    ],
  });
  return join(cacheFolder(), "toolchain", `${key}.json`);
}

/** Where Pulumi installs the official command plugin. @param {string} pulumiHome */
export function commandPluginFolder(pulumiHome) {
  return join(pulumiHome, "plugins", `resource-command-v${versions.commandPlugin}`);
}

/**
 * The toolchain recorded by an earlier setup if everything in it still exists, else null. @returns {Toolchain | null}
 */
export function readToolchain() {
  try {
    const file = toolchainFile();
    /** @type {Toolchain} */
    const found = JSON.parse(readFileSync(file, "utf8"));
    const { node, pulumi, python, mngr, modal, pulumiHome, ownPulumiHome: own, needs } = found;
    const paths = [node, pulumi, python, mngr, modal, commandPluginFolder(pulumiHome), ...needs];
    // The official plugin, once installed, replaces the stand-in.
    const isOutdone = own !== null && existsSync(commandPluginFolder(own));
    if (isOutdone || !paths.every((path) => existsSync(path))) return null;
    noteUse(file);
    return found;
  } catch {
    return null; // not recorded, or not in this version's format
  }
}

/**
 * Touches a file of the cache if nobody has within the hour: setup removes what was not used for a day.
 * @param {string} file
 */
function noteUse(file) {
  const now = new Date();
  if (now.getTime() - statSync(file).mtimeMs < 3600_000) return;
  try {
    utimesSync(file, now, now);
  } catch {
    // A cache that this user may only read is pruned by its owner.
  }
}

/**
 * An environment in which the given Node is the first on PATH.
 * @param {string} node
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv}
 */
export function nodeEnvironment(node, env = process.env) {
  return {
    ...env,
    PATH: pathWith([node], env.PATH),
    NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE ?? join(cacheFolder(env), "node-compile-cache"),
  };
}

/**
 * The environment of every script and every Pulumi program in this project.
 * @param {Toolchain} toolchain
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv}
 */
export function toolchainEnvironment(toolchain, env = process.env) {
  const { node, pulumi, mngr, pulumiHome, ownPulumiHome: own } = toolchain;
  return {
    ...nodeEnvironment(node, env),
    PATH: pathWith([node, pulumi, mngr], env.PATH),
    ...(own === null ? {} : { PULUMI_HOME: pulumiHome, PULUMI_CREDENTIALS_PATH: env.PULUMI_CREDENTIALS_PATH ?? own }),
    PULUMI_SKIP_UPDATE_CHECK: env.PULUMI_SKIP_UPDATE_CHECK ?? "true",
    PULUMI_CONTINUE_ON_ERROR: env.PULUMI_CONTINUE_ON_ERROR ?? "true",
    DO_NOT_TRACK: env.DO_NOT_TRACK ?? "1",
  };
}

/**
 * Prepends the folders of these programs to PATH. Programs that PATH already finds don't change its order.
 * @param {string[]} programs
 * @param {string | undefined} path
 */
function pathWith(programs, path = "") {
  const missing = programs.filter((program) => which(basename(program), path) !== program).map(dirname);
  return [...new Set([...missing, ...path.split(delimiter).filter((folder) => folder !== "")])].join(delimiter);
}

/**
 * The first program of a name on a PATH.
 * @param {string} name
 * @param {string} [path]
 * @returns {string | null}
 */
export function which(name, path = process.env.PATH ?? "") {
  const folders = path.split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
