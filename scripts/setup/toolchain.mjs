// @ts-check
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { cacheFolder, checkout, keyOf, platform, versions } from "./cache.mjs";

/**
 * What setup found or installed. All paths are absolute.
 * @typedef {object} Toolchain
 * @property {string} node Node 24 or later
 * @property {string} pulumi the CLI; its language host is beside it or on PATH
 * @property {string} pulumiHome the PULUMI_HOME in use: the person's own, or a private one with the stand-ins for the official plugins
 * @property {string | null} ownPulumiHome the person's own, which holds their login, when `pulumiHome` is private
 * @property {string} python of the environment that holds mngr and modal
 * @property {string} mngr
 * @property {string} modal
 * @property {string[]} needs what else has to exist for all this to work: system tools
 */

/** The Node package for this machine. */
export function nodePackage() {
  return versions.node.packages[platform];
}

/** Where setup puts Node when the machine's own is too old. */
export function cachedNode() {
  return join(cacheFolder(), "node", nodePackage()?.version ?? "none", "bin/node");
}

/** A Node that runs TypeScript: this one, or the cached one; null when setup has to install it. */
export function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= versions.node.minimum) return process.execPath;
  return existsSync(cachedNode()) ? cachedNode() : null;
}

/** The stamp that says which package-lock.json node_modules was made from. */
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
 * The person's own PULUMI_HOME, also when this process was started with a private one.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function ownPulumiHome(env = process.env) {
  const home = env.PULUMI_HOME;
  if (home && !home.startsWith(cacheFolder(env) + sep)) return resolve(home);
  return (home && env.PULUMI_CREDENTIALS_PATH) || join(env.HOME || homedir(), ".pulumi");
}

/** What the stand-ins for Pulumi's plugins are made from. */
export const standInSources = ["scripts/plugins"];

/** What the lean Pulumi CLI is built from, beside its version. */
export const leanSources = [
  "scripts/setup/go/pulumi",
  "scripts/setup/go/pulumi-language-nodejs",
  "scripts/setup/lean-pulumi.ts",
];

/** The file in which setup notes the toolchain: another one for each set of versions and each PULUMI_HOME. */
export function toolchainFile() {
  const key = keyOf({
    texts: [platform, ownPulumiHome()],
    paths: ["scripts/setup/versions.json", "scripts/setup/requirements.txt", ...leanSources, ...standInSources],
  });
  return join(cacheFolder(), "toolchain", `${key}.json`);
}

/** Where Pulumi keeps the official command plugin. @param {string} pulumiHome */
export function commandPluginFolder(pulumiHome) {
  return join(pulumiHome, "plugins", `resource-command-v${versions.commandPlugin}`);
}

/** The toolchain that an earlier setup noted, when all of it is still there; else null. @returns {Toolchain | null} */
export function readToolchain() {
  try {
    /** @type {Toolchain} */
    const found = JSON.parse(readFileSync(toolchainFile(), "utf8"));
    const { node, pulumi, python, mngr, modal, pulumiHome, ownPulumiHome: own, needs } = found;
    const paths = [node, pulumi, python, mngr, modal, commandPluginFolder(pulumiHome), ...needs];
    // The stand-in makes way as soon as the official plugin is there.
    const isOutdone = own !== null && existsSync(commandPluginFolder(own));
    return paths.every((path) => existsSync(path)) && !isOutdone ? found : null;
  } catch {
    return null; // nothing noted, or not in a form that this version writes
  }
}

/**
 * An environment in which a Node is the first on PATH.
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
 * The environment that every script and every Pulumi program of this project runs in.
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
 * PATH with the folders of these programs before it; those that PATH finds anyway leave its order alone.
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
