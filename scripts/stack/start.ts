/** `npm start`: the embedded default, from nothing to a real agent's real commit. */

import { deployedFleet } from "../../components/cron/inspect/deployed.ts";
import { cronListing } from "../../components/cron/inspect/list.ts";
import type { Run } from "../../components/cron/run-records.ts";
import { runReport, wentWell } from "../../components/cron/run-text.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { changelingCommand } from "../../components/lib/own-commands.ts";
import { printNote, printText } from "../../components/lib/terminal.ts";
import { sandboxListing } from "../../components/sandbox/inspect/list.ts";
import { installedSandboxes, readSandbox } from "../../components/sandbox/installed.ts";
import { installedSeedAgents, readSeedAgent } from "../../components/seed-agent/installed.ts";
import { appliedText, appliedWeb } from "../../components/web/inspect/applied.ts";
import { deployedWeb } from "../../components/web/inspect/list.ts";
import { listText } from "../changeling/commands/list.ts";
import { type Inspected, inspected } from "../changeling/context.ts";
import { fire } from "../changeling/cron/fire.ts";
import { withLock } from "../setup/lock.mjs";
import { ensureDevStack } from "./dev-stack.ts";
import { firstToFire } from "./first-to-fire.ts";
import { commandsOn, installationOf, pulumi } from "./stack.ts";

if (process.argv.length > 2) {
  printNote("usage: npm start\nIt takes no options. It applies the fleet file ~/.changelings/dev/fleet.toml\n");
  process.exit(process.argv.includes("--help") ? 0 : 2);
}

try {
  await start();
} catch (error) {
  printNote(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

async function start(): Promise<void> {
  // Of two concurrent starts, the second waits and reuses the first one's stack.
  const stack = await withLock("dev-stack", async () => ensureDevStack());
  Object.assign(process.env, commandsOn(stack));
  const context = inspected({ stack, paths: installationPaths(installationOf(stack)), provider: undefined });
  say("Applying the fleet (pulumi up) …");
  // The table below already shows the outputs.
  const options = [
    "--yes",
    "--skip-preview",
    "--suppress-outputs",
    ...(process.stdout.isTTY ? [] : ["--non-interactive"]),
  ];
  const { code } = await pulumi(stack, ["up", ...options], { capture: false });
  if (code !== 0) {
    process.exitCode = code;
    return;
  }
  const fleet = await deployedFleet(context);
  const first = firstToFire(fleet.changelings);
  const run = first === undefined ? undefined : await runOf(context, first.name);
  const listings = await Promise.all([cronListing(context), sandboxListing(context)]);
  say(`${run === undefined ? "" : `\n${runReport(run)}\n`}\n${listText(listings)}\n`);
  // Last, where the user sees it: what to open now.
  for (const { name } of deployedWeb(context)) say(`${appliedText(await appliedWeb(context, name))}\n`);
  const [sandbox] = enabledSandboxes(context);
  if (sandbox !== undefined) say(`${sandboxText(sandbox)}\n`);
  for (const { name, url } of enabledSeedAgents(context)) say(`${seedAgentText(name, url)}\n`);
  say(`Edit ~/.changelings/dev/fleet.toml, then: ${changelingCommand()} plan, npm start. Remove it all: npm stop`);
  if (run !== undefined && !wentWell(run)) process.exitCode = 1;
}

async function runOf(context: Inspected, name: string): Promise<Run> {
  say(`\nFiring ${name} now, as its schedule would …`);
  const fired = await fire(context, name);
  if ("skipped" in fired) throw new Error(`${name} was not fired: ${fired.skipped}`);
  return fired.end();
}

function enabledSandboxes({ paths }: Inspected): string[] {
  return installedSandboxes(paths).filter((name) => readSandbox(paths, name)?.enabled === true);
}

function sandboxText(name: string): string {
  const cli = `${changelingCommand()} sandbox`;
  return `${name} makes a sandbox whenever you want one.
  start   ${cli} start ${name}
  prompt  ${cli} send ${name} "List files in repository"`;
}

function enabledSeedAgents({ paths }: Inspected): { readonly name: string; readonly url: string | undefined }[] {
  return installedSeedAgents(paths).flatMap((name) => {
    const installed = readSeedAgent(paths, name);
    return installed?.enabled === true ? [{ name, url: installed.url }] : [];
  });
}

function seedAgentText(name: string, url: string | undefined): string {
  const cli = `${changelingCommand()} seed`;
  return `${name} runs${url === undefined ? "" : ` at ${url}`}.
  look    ${cli} status ${name}
  change  ${cli} checkout ${name} ./${name}, edit it, then: ${cli} submit ${name} ./${name} --summary "…" --wait`;
}

function say(text: string): void {
  printText(`${text}\n`);
}
