/** `npm run setup`: finds everything that this project runs with, or installs it in the cache. */
import { setUpAll } from "./all.ts";
import { argumentsOf } from "./arguments.mjs";
import { installPackages } from "./packages.ts";
import { say } from "./progress.mjs";
import { pruneCache } from "./prune.ts";
import { runSetup } from "./run.mjs";
import { readToolchain } from "./toolchain.mjs";

const { values: wanted } = argumentsOf("setup");
await runSetup(setUp);

async function setUp(): Promise<void> {
  // For a command, the result of an earlier setup is enough: a new clone lacks only its npm packages.
  const isEnough = wanted["for"] === "packages" || (wanted["for"] !== undefined && readToolchain() !== null);
  if (isEnough) return installPackages();
  const toolchain = await setUpAll({ full: wanted["full"] === true });
  await pruneCache();
  if (wanted["json"] === true) process.stdout.write(`${JSON.stringify(toolchain, null, 2)}\n`);
  else if (wanted["for"] === undefined) say("Everything is set up.");
}
