// @ts-check
// The arguments of the npm scripts that have no commands of their own. The launcher reads them before setup, so that
// help and an unknown option cost nothing, also on a new machine. The programs read their values by the same function.
import { parseArgs } from "node:util";

/**
 * @typedef {object} Option
 * @property {string} what for the help
 * @property {string} [value] what the help calls its value; without it, the option is a flag
 * @property {true} [several] it may be given more than once
 * @property {true} [hidden] only the launcher uses it
 *
 * @typedef {object} Usage
 * @property {string} command as it is typed, without options
 * @property {string} what its description, in paragraphs of at most 120 columns
 * @property {Record<string, Option>} [options]
 * @property {Record<string, string>} [operands] its words, by name, with what they mean
 * @property {string} [operandsUsage] how the usage line shows them
 * @property {readonly [string, ...string[]]} examples
 */

/** @type {Record<string, Usage>} */
export const usages = {
  setup: {
    command: "npm run setup",
    what: `Finds or installs what this project runs with: Node, the npm packages, git, tmux, rsync, the Pulumi CLI with its
language host and command plugin, and mngr and modal in a Python environment. Downloads and builds are kept in
~/.cache/changelings (or CHANGELINGS_CACHE). npm start and npm test do this by themselves.`,
    options: {
      full: {
        what: `where the Pulumi CLI has to be built from source: build all of it (about twice as long), with the backends
s3://, gs:// and azblob://, the secrets providers of clouds, and pulumi api`,
      },
      json: { what: "print what was found or installed, as JSON with absolute paths, on stdout" },
      // Requests what one command needs. It prints nothing if all of it exists.
      for: { what: "", value: "level", hidden: true },
    },
    examples: ["npm run setup", "npm run setup -- --json"],
  },
  start: {
    command: "npm start",
    what: `Makes a stack of your own in ~/.changelings/dev if there is none, with an example fleet and a demo repository, applies
its fleet file ~/.changelings/dev/fleet.toml, and fires the example once. Run it again after each edit of that file.`,
    examples: ["npm start"],
  },
  stop: {
    command: "npm stop",
    what: `Removes what npm start created: the stack, its scheduler and servers, the demo repository and the example's agents.
It keeps a fleet file that you changed, the repositories and data of web changelings that you deployed (also of removed
ones), the memory of your sandboxes' repositories, and the data of seed agents. It prints where they are, and npm start
uses them again.`,
    options: { data: { what: "also delete what is kept otherwise" } },
    examples: ["npm stop", "npm stop -- --data"],
  },
  emulator: {
    command: "npm run emulator",
    what: `Starts an emulator of Modal on this machine, prints the variables that point modal, mngr and changeling at it, and runs
until Ctrl-C, which ends everything that it started. Schedules fire by the real clock. Apps, secrets, volumes and
sandboxes are gone at the end.

It is for tests and trials, and not a security boundary: if it runs as root, programs in its containers can reach this
machine. Linux only; sandboxes with mngr agents need root.`,
    options: {
      json: { what: "print the variables as one line of JSON" },
      reach: {
        what: "a port of this machine that sandboxes may reach, such as a git server's; may be repeated",
        value: "port",
        several: true,
      },
      run: {
        what: `which RUN steps of images are executed: only those that install nothing (offline, the default), or also
those of pip (pip)`,
        value: "steps",
      },
    },
    examples: ["npm run emulator", "npm run emulator -- --reach 8080"],
  },
  test: {
    command: "npm test",
    what: `Runs the checks, and all tests except the journeys. With arguments, it passes them to vitest and skips the checks.`,
    operandsUsage: "[-- VITEST-ARGUMENT …]",
    examples: ["npm test", "npm test -- test/unit/fleet/load.test.ts", "npm test -- --project journeys"],
  },
  "test-modal": {
    command: "npm run test:modal",
    what: `Tests a small fleet and coding sandboxes on a real Modal account, in separate environments, which it removes. It needs
a Modal token, and CHANGELINGS_TEST_REPO: the https URL of a small public repository, to which nothing is pushed.`,
    operands: { fleet: "only the fleet", sandboxes: "only the sandboxes" },
    examples: ["npm run test:modal", "npm run test:modal -- sandboxes"],
  },
  bench: {
    command: "npm run bench",
    what: "Measures, and compares with a bare Pulumi program. Without a name, all suites but quick run (about 40 minutes).",
    operands: {
      program: "the Pulumi program, from its start to the first resource",
      scheduler: "the scheduler with 300 jobs: memory, wakeups, delay",
      tarball: "packing a repository of 35 MB, against tar and gzip",
      engine: "preview and up without changes, against a bare program",
      commands: "list, doctor and plan, against mngr list and pulumi preview",
      modal: "the first up on Modal, against mngr schedule and modal deploy",
      forwarding: "the forwarding server, against a bare proxy and mngr forward",
      sandbox: "sandboxes and sessions, against bare ones",
      "seed-reload": "a hot reload, against its type check and tests alone",
      "seed-agent": "a seed agent's service, against a bare Fastify server",
      "seed-cluster": "a roll-out on three nodes, against one node",
      quick: "the engine suite in a minute, by processor time",
    },
    examples: ["npm run bench -- quick", "npm run bench -- engine commands"],
  },
  check: {
    command: "npm run check",
    what: `Checks types, lint and format, imports, where kinds are named, shell scripts, workflows, and whether the generated docs
are up to date.`,
    examples: ["npm run check"],
  },
  docs: {
    command: "npm run docs",
    what: "Writes the fleet file's reference and its schema for editors from the definitions of its options.",
    options: { check: { what: "report stale files and write nothing" } },
    examples: ["npm run docs", "npm run docs -- --check"],
  },
  build: {
    command: "npm run build",
    what: "Compiles the components to JavaScript with types in dist/, for other Pulumi programs.",
    examples: ["npm run build"],
  },
  coverage: {
    command: "npm run coverage",
    what: `Runs the unit and contract tests, and measures which lines of the components they execute. Fails below 85 %. The report
is in coverage/index.html.`,
    examples: ["npm run coverage"],
  },
  release: {
    command: "npm run",
    what: "Verifies, raises the version, and tags a commit of it. Both need a clean working tree. Nothing is pushed.",
    operandsUsage: "release-micro|release-baseline [-- --dry-run]",
    operands: {
      micro: "release-micro raises the patch number, verifies (checks and tests), tags vX.Y.Z",
      baseline: "release-baseline raises the minor number, verifies, requires a coverage of 85 %, tags baseline-vX.Y.0",
    },
    options: { "dry-run": { what: "say what would happen, and change nothing" } },
    examples: ["npm run release-micro -- --dry-run", "git push origin HEAD --tags"],
  },
};

/**
 * @typedef {object} Arguments
 * @property {Record<string, string | boolean | (string | boolean)[] | undefined>} values by option
 * @property {string[]} operands
 */

/**
 * Reads a command's arguments. Help goes to stdout, an error with the help to stderr; then null, with the exit code set.
 * @param {string} name of the command, as in `usages`
 * @param {readonly string[]} args
 * @returns {Arguments | null}
 */
export function readArguments(name, args) {
  const usage = usages[name];
  if (usage === undefined) throw new Error(`"${name}" has no table of its arguments`);
  // The test runner's own options are not in our table.
  const isPassedOn = usage.operandsUsage !== undefined && usage.operands === undefined;
  if (isPassedOn && !args.some((arg) => arg === "--help" || arg === "-h")) return { values: {}, operands: [...args] };
  try {
    const read = parsed(usage, isPassedOn ? ["--help"] : args);
    if (read.values["help"] !== true) return read;
    process.stdout.write(helpText(usage));
    process.exitCode = 0;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`error: ${text}\n\n${helpText(usage)}`);
    process.exitCode = 2;
  }
  return null;
}

/** The same for a program that has nothing else to do then. @param {string} name @param {readonly string[]} [args] */
export function argumentsOf(name, args = process.argv.slice(2)) {
  return readArguments(name, args) ?? process.exit();
}

/** @param {Usage} usage @param {readonly string[]} args @returns {Arguments} */
function parsed({ options = {}, operands = {} }, args) {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    allowPositionals: true,
    strict: false,
    tokens: true,
    options: Object.fromEntries([
      ["help", { type: /** @type {const} */ ("boolean"), short: "h" }],
      ...Object.entries(options).map(([name, { value, several }]) => [
        name,
        { type: value === undefined ? "boolean" : "string", multiple: several === true },
      ]),
    ]),
  });
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const option =
      token.name === "help" ? { what: "" } : Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw new Error(`unknown option ${token.rawName}`);
    if (option.value === undefined && token.value !== undefined)
      throw new Error(`option ${token.rawName} takes no value`);
    if (option.value !== undefined && !token.value) throw new Error(`option ${token.rawName} needs a ${option.value}`);
  }
  for (const word of values["help"] === true ? [] : positionals) {
    if (!Object.hasOwn(operands, word)) throw new Error(`unexpected argument "${word}"`);
  }
  return { values, operands: positionals };
}

/** @param {Usage} usage */
function helpText({ command, what, options = {}, operands = {}, operandsUsage, examples }) {
  const words = Object.keys(operands);
  const flags = Object.entries(options)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name, { what: text, value }]) => /** @type {const} */ ([`--${name}${value ? ` <${value}>` : ""}`, text]));
  const optional = flags.length > 0 ? " [-- OPTION …]" : "";
  const rest = operandsUsage ?? (words.length > 0 ? `[-- ${words.length > 3 ? "NAME …" : words.join("|")}]` : "");
  const usage = `Usage: ${command}${rest === "" ? optional : ` ${rest}`}`;
  return [
    usage,
    what,
    ...(words.length > 0 ? [rows(Object.entries(operands))] : []),
    `Options:\n${rows([...flags, ["-h, --help", "print this"]])}`,
    `Examples:\n${examples.map((example) => `  ${example}`).join("\n")}`,
  ]
    .join("\n\n")
    .concat("\n");
}

/** @param {readonly (readonly [string, string])[]} pairs */
function rows(pairs) {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs
    .map(([name, text]) => `  ${name.padEnd(width)}  ${text.replaceAll("\n", `\n${" ".repeat(width + 4)}`)}`)
    .join("\n");
}
