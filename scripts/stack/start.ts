/** `npm start`: the embedded default, from nothing to a real agent's real commit. */

import { installationPaths } from "../../components/host/installation-paths.ts";
import { messageOf } from "../../components/lib/as-error.ts";
import { changelingCommand } from "../../components/lib/own-commands.ts";
import { printNote, printText } from "../../components/lib/terminal.ts";
import { listingsOf, listText } from "../changeling/commands/list.ts";
import { inspected } from "../changeling/context.ts";
import { firedFirst } from "../changeling/cron/fire-first.ts";
import { kindsOn } from "../changeling/kinds.ts";
import { devStack, ensureDevStack } from "./dev-stack.ts";
import { argumentsOf } from "./setup/arguments.mjs";
import { commandsOn, installationOf, pulumi } from "./stack.ts";
import { withStackLock } from "./stack-lock.ts";

argumentsOf("start");
try {
  await start();
} catch (error) {
  printNote(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function start(): Promise<void> {
  // Of two concurrent starts, the second waits, and finds what the first one has applied.
  const code = await withStackLock(devStack(), apply);
  if (code !== 0) {
    process.exitCode = code;
    return;
  }
  const stack = devStack();
  const context = inspected({ stack, paths: installationPaths(installationOf(stack)), provider: undefined });
  const first = await firedFirst(context, say);
  say(`${first === undefined ? "" : `\n${first.report}\n`}\n${listText(await listingsOf(context))}\n`);
  // Last, where the user sees it: what to open now.
  for (const kind of kindsOn(context)) {
    const texts = await (await kind.inspection()).introduction?.(context);
    for (const text of texts ?? []) say(`${text}\n`);
  }
  say(`Edit ~/.changelings/dev/fleet.toml, then: ${changelingCommand()} plan, npm start. Remove it all: npm stop`);
  if (first?.wentWell === false) process.exitCode = 1;
}

/** @returns the exit code of `pulumi up` */
async function apply(): Promise<number> {
  const stack = ensureDevStack();
  Object.assign(process.env, commandsOn(stack));
  say("Applying the fleet (pulumi up) …");
  // The table of the fleet already shows the outputs.
  const options = [
    "--yes",
    "--skip-preview",
    "--suppress-outputs",
    ...(process.stdout.isTTY ? [] : ["--non-interactive"]),
  ];
  const { code } = await pulumi(stack, ["up", ...options], { capture: false });
  return code;
}

function say(text: string): void {
  printText(`${text}\n`);
}
