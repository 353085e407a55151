/** `npm stop`: removes everything that `npm start` started and created. */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { kinds } from "../../components/kinds.ts";
import { messageOf } from "../../components/lib/as-error.ts";
import { printNote, printText } from "../../components/lib/terminal.ts";
import { exportedState } from "../../components/stack/state.ts";
import { devFolder, devStack, exampleChangelings, exampleFleet, repairBackend } from "./dev-stack.ts";
import { leftovers, remaining, removeInstallation } from "./remove-installation.ts";
import { argumentsOf } from "./setup/arguments.mjs";
import { installationOf, problemOf, pulumi, type Stack } from "./stack.ts";
import { withStackLock } from "./stack-lock.ts";

const isData = argumentsOf("stop").values["data"] === true;

try {
  if (isThere()) await withStackLock(devStack(), stop);
  else printText("Nothing to stop: the stack of `npm start` does not exist.\n");
} catch (error) {
  printNote(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

/** A lone fleet file is left from an earlier `npm stop`; --data removes it too. */
function isThere(): boolean {
  if (!existsSync(devFolder())) return false;
  return isData || readdirSync(devFolder()).some((name) => name !== "fleet.toml") || isKnownHere();
}

function isKnownHere(): boolean {
  const paths = installationPaths(installationOf(devStack()));
  return Object.values(kinds).some((kind) => kind.known(paths).length > 0);
}

async function stop(): Promise<void> {
  const stack = devStack();
  const installation = installationOf(stack);
  printText("Removing the fleet (pulumi destroy) …\n");
  repairBackend();
  const paths = installationPaths(installation);
  const ofKinds = await leftovers();
  const agents = ofKinds.flatMap((kind) => kind.keptAgents?.(paths, [demoRepository()]) ?? []);
  // Not with --remove, which deletes the tracked Pulumi.dev.yaml despite --config-file.
  const options = ["--yes", "--skip-preview", "--non-interactive", "--color", "never"];
  if (existsSync(join(devFolder(), "stack-made"))) {
    const { code, stdout, stderr } = await pulumi(stack, ["destroy", ...options], { capture: true });
    if (code !== 0) {
      printNote(`${stdout}${stderr}`);
      if (/currently locked/.test(stderr)) {
        throw new Error("another operation is using the stack; nothing was removed. When it has ended: npm stop");
      }
      await requireNothingElsewhere(stack);
    }
  }
  const going = isData ? ofKinds.flatMap((kind) => kind.data?.(paths) ?? []) : [];
  for (const { name, places } of going) say(`Deleting ${name}: ${places.join(", ")}`);
  const unsaved: string[] = [];
  for (const destroy of agents) unsaved.push(...(await destroy()));
  const kept = await removeInstallation(installation, {
    all: isData,
    repositories: [demoRepository()],
    example: exampleChangelings(),
  });
  const fleet = removeDevFolder();
  say("Stopped, and removed ~/.changelings/dev with its stack and demo repository.");
  for (const place of remaining([...fleet, ...kept, ...unsaved])) say(`Kept: ${place}`);
  if (fleet.length + kept.length > 0 && !isData)
    say("`npm start` uses them again. Delete them with: npm stop -- --data");
}

/** Resources on this machine can be removed without Pulumi, but those on Modal would keep firing. */
async function requireNothingElsewhere(stack: Stack): Promise<void> {
  const exported = await pulumi(stack, ["stack", "export"], { capture: true });
  if (exported.code !== 0) throw new Error(`nothing more was removed, for the reason above: ${problemOf(exported)}`);
  if (exportedState(exported.stdout).namesOnModal.length === 0) return;
  throw new Error(
    "the fleet's resources on Modal could not be removed, for the reason above, and nothing else was. Try again: npm stop",
  );
}

/** @returns what remains: a fleet file that the user changed */
function removeDevFolder(): string[] {
  const file = join(devFolder(), "fleet.toml");
  if (isData || !existsSync(file) || readFileSync(file, "utf8") === exampleFleet()) {
    rmSync(devFolder(), { recursive: true, force: true, maxRetries: 3 });
    return [];
  }
  for (const name of readdirSync(devFolder())) {
    if (name !== "fleet.toml") rmSync(join(devFolder(), name), { recursive: true, force: true, maxRetries: 3 });
  }
  return [file];
}

/** It is removed with the folder of the embedded default. */
function demoRepository(): string {
  return join(devFolder(), "demo-repo");
}

function say(text: string): void {
  printText(`${text}\n`);
}
