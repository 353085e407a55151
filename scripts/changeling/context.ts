import { existsSync } from "node:fs";
import { homedir } from "node:os";
import type { Command } from "commander";
import * as z from "zod/mini";
import { type InstallationPaths, installationPaths } from "../../components/cron/local/paths.ts";
import {
  type Fault,
  formatFaults,
  type LoadedFleet,
  loadFleet,
  type MissingSecret,
  missingSecrets,
} from "../../components/fleet/index.ts";
import { absolutePath } from "../../components/portable-path.ts";
import { devStack } from "../dev-stack.ts";
import { projectFolder } from "../project.ts";
import { installationOf, pulumi, type Stack } from "../stack.ts";

/** What every command is given: which stack, where its things are, and how to answer. */
export interface Context {
  readonly stack: Stack;
  readonly paths: InstallationPaths;
  readonly json: boolean;
}

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<{ stack: string; json?: boolean }>();
  const stack = options.stack === "dev" ? devStack() : { name: options.stack };
  return { stack, paths: installationPaths(installationOf(stack)), json: options.json === true };
}

/** One answer, as JSON or as text. */
export function answer(context: Context, data: unknown, text: string): void {
  process.stdout.write(context.json ? `${JSON.stringify(data, null, 2)}\n` : text === "" ? "" : `${text}\n`);
}

const stackSettings = z.record(
  z.string(),
  z.object({ value: z.optional(z.string()), secret: z.optional(z.boolean()) }),
);

interface Settings {
  /** By their full names (`changelings:…`); secret ones have no value here. */
  readonly values: Readonly<Record<string, string>>;
  /** Names of the variables whose values the stack holds as secrets. */
  readonly secrets: readonly string[];
}

const noSettings: Settings = { values: {}, secrets: [] };

async function settingsOf(stack: Stack): Promise<Settings> {
  requireDevStack(stack);
  const { code, stdout, stderr } = await pulumi(stack, ["config", "--json"], { capture: true });
  if (code !== 0) throw new Error(stderr.trim().replace(/^error: /, ""));
  const settings = Object.entries(stackSettings.parse(JSON.parse(stdout)));
  return {
    values: Object.fromEntries(settings.flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]]))),
    secrets: settings.flatMap(([key, { secret }]) => (secret ? [key.replace(/^[^:]*:/, "")] : [])),
  };
}

export interface StackFleet extends LoadedFleet {
  readonly file: string;
  /** Required secrets that neither this environment nor the stack sets. */
  readonly missingSecrets: readonly MissingSecret[];
}

/** The fleet file that a stack declares, read and checked; a fault is returned, not thrown. */
export async function fleetOf(stack: Stack, options: { file?: string } = {}): Promise<StackFleet> {
  const { values: settings, secrets } = options.file === undefined ? await settingsOf(stack) : noSettings;
  const anchors = { project: projectFolder, home: homedir() };
  const file =
    options.file === undefined
      ? absolutePath(settings["changelings:config"] ?? "~/.changelings/config.toml", anchors)
      : absolutePath(options.file, { ...anchors, project: process.cwd() });
  const loaded = await loadFleet({ file, context: loadContext(settings, anchors) });
  const set = new Set([...Object.keys(process.env).filter((name) => process.env[name]), ...secrets]);
  return { ...loaded, file, missingSecrets: loaded.fleet === undefined ? [] : missingSecrets(loaded.fleet, set) };
}

function loadContext(settings: Settings["values"], anchors: { project: string; home: string }) {
  const repo = settings["changelings:repo"];
  const timezone = settings["changelings:timezone"];
  return {
    ...(repo === undefined ? {} : { repo, folder: anchors.project }),
    ...(timezone === undefined ? {} : { timezone }),
    home: anchors.home,
    ci: process.env["CI"] === "true",
    machineTimezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    checkRemotes: true,
  };
}

/** @throws with all faults in words when the fleet file has errors */
export function requireSound(loaded: LoadedFleet): NonNullable<LoadedFleet["fleet"]> {
  if (loaded.fleet === undefined) throw new Error(`the fleet file has faults:\n${formatFaults(loaded.faults)}`);
  return loaded.fleet;
}

export function errorsOf(faults: readonly Fault[]): Fault[] {
  return faults.filter(({ severity }) => severity === "error");
}

/** The embedded default is made by `npm start`; until then there is nothing to look at. */
export function requireDevStack(stack: Stack): void {
  if (stack.configFile !== undefined && !existsSync(stack.configFile)) {
    throw new Error("the embedded default stack is not there yet; make it with: npm start");
  }
}
