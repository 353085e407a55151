import { homedir } from "node:os";
import * as z from "zod/mini";
import { formatDiagnostics, type LocatedDiagnostic } from "../../components/fleet/diagnostics.ts";
import { type MissingSecret, missingSecrets } from "../../components/fleet/secrets.ts";
import { type LoadedFleet, loadFleet } from "../../components/kinds.ts";
import { absolutePath } from "../../components/lib/portable-path.ts";
import { projectFolder } from "../stack/project.ts";
import { problemOf, pulumi, type Stack } from "../stack/stack.ts";
import { stackProblem } from "./known-stack.ts";
import { type StackSettings, settingsInFile } from "./settings-file.ts";
import { requireDevStack } from "./stack-selection.ts";

const stackSettings = z.record(
  z.string(),
  z.object({ value: z.optional(z.string()), secret: z.optional(z.boolean()) }),
);

interface Settings {
  /** By full name (`changelings:…`); secret settings have no value here. */
  readonly values: Readonly<Record<string, string>>;
  /** Names of the variables whose values the stack stores as secrets. */
  readonly secrets: readonly string[];
}

const noSettings: Settings = { values: {}, secrets: [] };

async function settingsOf(stack: Stack): Promise<Settings> {
  requireDevStack(stack);
  // Only the embedded default has a file of its own. Others may have settings from elsewhere too.
  const inFile = stack.configFile === undefined ? undefined : settingsInFile(stack.configFile);
  const settings = Object.entries(inFile ?? (await printedSettings(stack)));
  return {
    values: Object.fromEntries(settings.flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]]))),
    secrets: settings.flatMap(([key, { secret }]) => (secret ? [key.replace(/^[^:]*:/, "")] : [])),
  };
}

async function printedSettings(stack: Stack): Promise<StackSettings> {
  const read = await pulumi(stack, ["config", "--json"], { capture: true });
  if (read.code !== 0) throw new Error(await stackProblem(stack, problemOf(read)));
  return stackSettings.parse(JSON.parse(read.stdout));
}

/** The absolute path of the fleet file in a stack's settings. @throws if they can't be read */
export async function fleetFileOf(stack: Stack): Promise<string> {
  return fleetFile((await settingsOf(stack)).values);
}

function fleetFile(settings: Settings["values"]): string {
  const anchors = { project: projectFolder, home: homedir() };
  return absolutePath(settings["changelings:config"] ?? "~/.changelings/config.toml", anchors);
}

export interface StackFleet extends LoadedFleet {
  readonly file: string;
  /** Required secrets that neither this environment nor the stack sets. */
  readonly missingSecrets: readonly MissingSecret[];
}

interface FleetOptions {
  /** Relative to the current folder; undefined: the stack's own. */
  readonly file?: string;
  readonly checkRemotes?: boolean;
  /** Returns the text after an edit, which is checked instead of the file's content. Nothing is written. */
  readonly edit?: (file: string) => string;
}

/** Reads and validates a stack's fleet file; errors in it are returned, not thrown. */
export async function fleetOf(stack: Stack, options: FleetOptions = {}): Promise<StackFleet> {
  const { values: settings, secrets } = options.file === undefined ? await settingsOf(stack) : noSettings;
  const anchors = { project: projectFolder, home: homedir() };
  const file =
    options.file === undefined
      ? fleetFile(settings)
      : absolutePath(options.file, { ...anchors, project: process.cwd() });
  const { checkRemotes = true } = options;
  const edited = options.edit?.(file);
  const loaded = await loadFleet({
    file,
    context: { ...loadContext(settings, anchors), checkRemotes },
    ...(edited === undefined ? {} : { edited }),
  });
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
    machineTimezone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** @throws with all diagnostics in words if the fleet file has errors */
export function requireValid(loaded: LoadedFleet): NonNullable<LoadedFleet["fleet"]> {
  if (loaded.fleet === undefined)
    throw new Error(`the fleet file has errors:\n${formatDiagnostics(loaded.diagnostics)}`);
  return loaded.fleet;
}

export function errorsOf(diagnostics: readonly LocatedDiagnostic[]): LocatedDiagnostic[] {
  return diagnostics.filter(({ severity }) => severity === "error");
}
