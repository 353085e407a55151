/** `npm start`: the embedded default, from nothing to a real agent's real commit. */

import { installationPaths } from "../../components/host/installation-paths.ts";
import { changelingCommand } from "../../components/lib/own-commands.ts";
import { printNote, printText } from "../../components/lib/terminal.ts";
import { listingsOf, listText } from "../changeling/commands/list.ts";
import { inspected } from "../changeling/context.ts";
import { firedFirst } from "../changeling/cron/fire-first.ts";
import { kindsOn } from "../changeling/kinds.ts";
import { argumentsOf } from "../setup/arguments.mjs";
import { withLock } from "../setup/lock.mjs";
import { ensureDevStack } from "./dev-stack.ts";
import { commandsOn, installationOf, pulumi } from "./stack.ts";

argumentsOf("start");
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

function say(text: string): void {
  printText(`${text}\n`);
}
