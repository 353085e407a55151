#!/usr/bin/env node
// @ts-check
// The entry point of every npm script and of `npx changeling`. It finishes setup if necessary, then runs a command's
// program on a Node that strips types, in setup's environment. It is plain JavaScript without dependencies, because it
// runs on the machine's own Node, before anything is installed.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readArguments, usages } from "./setup/arguments.mjs";
import { checkout } from "./setup/cache.mjs";
import { endLike, passThrough } from "./setup/pass-through.mjs";
import {
  findNode,
  nodeEnvironment,
  packagesAreReady,
  readToolchain,
  toolchainEnvironment,
} from "./setup/toolchain.mjs";

/**
 * The program of each command, relative to `scripts/`, and what it needs: `all` is the whole setup, `packages` is Node
 * and node_modules.
 * @type {Record<string, { program: string, needs: "all" | "packages" | "node" }>}
 */
const COMMANDS = {
  setup: { program: "stack/setup/setup.ts", needs: "node" },
  start: { program: "stack/start.ts", needs: "all" },
  stop: { program: "stack/stop.ts", needs: "all" },
  changeling: { program: "changeling/changeling.ts", needs: "all" },
  pulumi: { program: "stack/pulumi.ts", needs: "all" },
  pipeline: { program: "stack/pipeline.ts", needs: "all" },
  emulator: { program: "dev/emulator.ts", needs: "all" },
  test: { program: "dev/test.ts", needs: "all" },
  "test-modal": { program: "dev/test-modal.ts", needs: "all" },
  bench: { program: "dev/bench.ts", needs: "all" },
  check: { program: "dev/check.ts", needs: "packages" },
  docs: { program: "dev/docs.ts", needs: "packages" },
  build: { program: "dev/build.ts", needs: "packages" },
  coverage: { program: "dev/coverage.ts", needs: "all" },
  release: { program: "dev/release.ts", needs: "packages" },
};

/** Makes the start of a program cheaper. */
const nodeOptions = ["--import", pathToFileURL(join(checkout, "components/lib/quick-imports.ts")).href];

const [command = "", ...args] = process.argv.slice(2);
const named = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;

if (named === undefined) {
  const problem = command === "" ? "No command is given." : `There is no command "${command}".`;
  process.stderr.write(
    `${problem}\nUsage: node scripts/stack/launch.mjs ${Object.keys(COMMANDS).join(" | ")} [arguments]\n`,
  );
  process.exitCode = 2;
} else {
  if (!Object.hasOwn(usages, command) || readArguments(command, args) !== null) await launch(command, named);
}

/**
 * @param {string} command
 * @param {{ program: string, needs: "all" | "packages" | "node" }} named
 */
async function launch(command, { program, needs }) {
  // Our own commands' help needs no more than their packages.
  const isHelp = command !== "pulumi" && args.some((arg) => arg === "--help" || arg === "-h");
  const level = isHelp && needs === "all" ? "packages" : needs;
  const ready = findReady(level) ?? (await setUp(level));
  // For the commands in messages. Tests compare these verbatim where the caller's command is unknown.
  const called =
    command === "test" ? {} : { CHANGELINGS_CALLED: process.env.CHANGELINGS_CALLED ?? "npm run changeling --" };
  if (ready === null) return;
  const argv = /** @type {const} */ ([ready.node, ...nodeOptions, script(program), ...args]);
  endLike(await passThrough(argv, { ...ready.env, ...called }));
}

/** @param {string} program */
function script(program) {
  return join(checkout, "scripts", program);
}

/**
 * The Node and the environment to run in, or null if setup has to run first.
 * @param {"all" | "packages" | "node"} level
 */
function findReady(level) {
  const node = findNode();
  if (node === null || (level !== "node" && !packagesAreReady())) return null;
  if (level === "node") return { node, env: setupEnvironment(node) };
  if (level === "packages") return { node, env: nodeEnvironment(node) };
  const toolchain = readToolchain();
  return toolchain === null ? null : { node: toolchain.node, env: toolchainEnvironment(toolchain) };
}

/** @param {"all" | "packages" | "node"} level */
async function setUp(level) {
  if (findNode() === null) {
    const [{ runSetup }, { installNode }] = await Promise.all([import("./setup/run.mjs"), import("./setup/node.mjs")]);
    if (!(await runSetup(installNode))) return null;
  }
  const node = findNode() ?? process.execPath;
  if (level !== "node") {
    const end = await passThrough([node, script("stack/setup/setup.ts"), "--for", level], setupEnvironment(node));
    if (end.code !== 0) {
      endLike(end);
      return null;
    }
  }
  const ready = findReady(level);
  if (ready === null) throw new Error("Setup succeeded, but its result can't be found. Run: npm run setup");
  return ready;
}

/**
 * Setup downloads through the environment's proxy, which Node uses only on request.
 * @param {string} node
 */
function setupEnvironment(node) {
  return { NODE_USE_ENV_PROXY: "1", ...nodeEnvironment(node) };
}
