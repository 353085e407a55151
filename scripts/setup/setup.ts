/** `npm run setup`: finds everything that this project runs with, or installs it in the cache. */
import { parseArgs } from "node:util";
import { setUpAll } from "./all.ts";
import { installPackages } from "./packages.ts";
import { say } from "./progress.mjs";
import { runSetup } from "./run.mjs";
import { readToolchain } from "./toolchain.mjs";

const HELP = `Usage: npm run setup -- [options]

Finds or installs what this project runs with: Node, the npm packages, git, tmux, rsync, the Pulumi CLI with its
language host and command plugin, and mngr and modal in a Python environment. Downloads and builds are kept in
~/.cache/changelings (or CHANGELINGS_CACHE). npm start and npm test do this by themselves.

Options:
  --full  where the Pulumi CLI has to be built from source: build all of it (about twice as long), with the backends
          s3://, gs:// and azblob://, the secrets providers of clouds, and pulumi api
  --json  print what was found or installed, as JSON with absolute paths, on stdout
  --help  print this
`;

/** scripts/launch.mjs uses `--for` to request what one command needs. It prints nothing if all of it exists. */
const options = {
  full: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  for: { type: "string" },
} as const;

const wanted = parse();
if (wanted === null) process.exitCode = 2;
else if (wanted.help) process.stdout.write(HELP);
else await runSetup(setUp);

function parse(): { full?: boolean; json?: boolean; help?: boolean; for?: string } | null {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return null;
  }
}

async function setUp(): Promise<void> {
  // For a command, the result of an earlier setup is enough: a new clone lacks only its npm packages.
  const isEnough = wanted?.for === "packages" || (wanted?.for !== undefined && readToolchain() !== null);
  if (isEnough) return installPackages();
  const toolchain = await setUpAll({ full: wanted?.full ?? false });
  if (wanted?.json) process.stdout.write(`${JSON.stringify(toolchain, null, 2)}\n`);
  else if (wanted?.for === undefined) say("Everything is set up.");
}
