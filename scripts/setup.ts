/** `npm run setup`: finds or installs everything that this project runs with. What it installs is in the cache. */
import { parseArgs } from "node:util";
import { installPackages } from "./setup/packages.ts";
import { say } from "./setup/progress.mjs";
import { runSetup } from "./setup/run.mjs";

const HELP = `Usage: npm run setup -- [options]

Finds or installs what this project runs with: Node, the npm packages, git, tmux, rsync, the Pulumi CLI with its
language host and command plugin, and mngr and modal in a Python environment. Downloads and builds are kept in
~/.cache/changelings (or CHANGELINGS_CACHE). npm start and npm test do this by themselves.

Options:
  --json  print what was found or installed, as JSON with absolute paths, on stdout
  --help  print this
`;

/** `--for` is how scripts/launch.mjs asks for what one command needs, without a word when all is there. */
const options = { json: { type: "boolean" }, help: { type: "boolean", short: "h" }, for: { type: "string" } } as const;

const wanted = parse();
if (wanted === null) process.exitCode = 2;
else if (wanted.help) process.stdout.write(HELP);
else await runSetup(setUp);

function parse(): { json?: boolean; help?: boolean; for?: string } | null {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return null;
  }
}

async function setUp(): Promise<void> {
  await installPackages();
  if (wanted?.for === "packages") return;
  // Loaded only now, because it imports npm packages.
  const { setUpAll } = await import("./setup/all.ts");
  const toolchain = await setUpAll();
  if (wanted?.json) process.stdout.write(`${JSON.stringify(toolchain, null, 2)}\n`);
  else if (wanted?.for === undefined) say("Everything is set up.");
}
