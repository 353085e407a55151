// @ts-check
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import { log } from "./log.mjs";

/**
 * @typedef {object} Settings what this program reads of `.changelings/settings.toml`
 * @property {string} model `chat.model`, for the Claude CLI
 * @property {number} contextMessages `chat.context.max_messages_line_count`
 * @property {number} contextLength `chat.context.max_content_length`, characters of each
 *
 * @typedef {object} Config
 * @property {string} name
 * @property {string | undefined} stateDir mngr's folder for this agent; undefined when it is run by hand
 * @property {string} data
 * @property {string} memory
 * @property {number | undefined} port undefined: a Unix socket, which no other user of this machine reaches; 0: a free one
 * @property {string} responder `echo`, `claude` or a command
 * @property {readonly string[]} responderArgs
 * @property {number} timeoutSeconds how long an answer may take
 * @property {Settings} settings
 */

/** @type {Settings} */
const DEFAULTS = { model: "claude-opus-4-6", contextMessages: 20, contextLength: 200 };
const ANSWER_SECONDS = 600;

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} args the responder and its arguments
 * @param {string} repo the folder of this program
 * @returns {Config}
 */
export function readConfig(env, args, repo) {
  const stateDir = env["MNGR_AGENT_STATE_DIR"] || env["MNG_AGENT_STATE_DIR"] || undefined;
  const data = resolve(env["CHANGELING_DATA"] || join(stateDir ?? repo, "data"));
  const [responder = "echo", ...responderArgs] = env["RESPONDER"] ? [env["RESPONDER"]] : args;
  return {
    name: env["CHANGELING_NAME"] || env["MNGR_AGENT_NAME"] || "chat",
    stateDir,
    data,
    memory: resolve(env["CHANGELING_MEMORY"] || join(data, "memory")),
    // Started by hand there is no forwarding server, and a browser opens only ports.
    port: env["PORT"] || stateDir === undefined ? wholeNumber(env["PORT"], 0) : undefined,
    responder,
    responderArgs,
    timeoutSeconds: wholeNumber(env["RESPONDER_TIMEOUT_SECONDS"], ANSWER_SECONDS),
    settings: readSettings(stateDir ? join(stateDir, "settings.toml") : join(repo, ".changelings", "settings.toml")),
  };
}

/** The file and each of its settings are optional. @param {string} file @returns {Settings} */
export function readSettings(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return DEFAULTS;
  }
  try {
    const chat = table(parse(text)["chat"]);
    const context = table(chat["context"]);
    return {
      model: typeof chat["model"] === "string" ? chat["model"] : DEFAULTS.model,
      contextMessages: wholeNumber(context["max_messages_line_count"], DEFAULTS.contextMessages),
      contextLength: wholeNumber(context["max_content_length"], DEFAULTS.contextLength),
    };
  } catch (error) {
    log(`${file} is invalid, so the defaults apply: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
    return DEFAULTS;
  }
}

/** @param {unknown} value @returns {Record<string, unknown>} */
function table(value) {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** @param {unknown} value @param {number} fallback */
function wholeNumber(value, fallback) {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) && number >= 0 ? number : fallback;
}
