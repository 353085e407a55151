import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { formatDiagnostics } from "../fleet/diagnostics.ts";
import type { FleetOf, Kinds, ResolvedChangeling } from "../fleet/kind.ts";
import { loadFleetOf } from "../fleet/load.ts";
import { type MissingSecret, missingSecrets, secretNames } from "../fleet/secrets.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { installedUnder } from "../host/installed-file.ts";
import { orSetting, secretRemedy } from "../lib/own-commands.ts";
import { absolutePath } from "../lib/portable-path.ts";
import type { ModalToken } from "../modal/token.ts";
import { readSecrets, secretsPath } from "../secrets/installed.ts";
import { thisInstallation } from "./installation.ts";
import { targetedNames } from "./targets.ts";

/** Settings of the stack, `changelings:…`. */
export interface StackSettings {
  /** The fleet file, relative to the project or below `~`. */
  readonly config: string;
  /** The default IANA time zone of changelings. */
  readonly timezone: string | undefined;
  /** The default repository of changelings: a URL, or a path as above. */
  readonly repo: string | undefined;
}

/**
 * The fleet that this stack declares. Warnings go to the engine's log.
 *
 * @throws pulumi.RunError with all errors in the file, and in an update also with all missing secrets, before any
 * change
 */
export async function declaredFleet(config: pulumi.Config, kinds: Kinds): Promise<FleetOf<Kinds>> {
  const anchors = { project: process.cwd(), home: homedir() };
  const settings = stackSettings(config);
  const { fleet, diagnostics } = await loadFleetOf(kinds, {
    file: absolutePath(settings.config, anchors),
    context: {
      home: anchors.home,
      ci: process.env["CI"] === "true",
      machineTimezone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
      ...(settings.timezone === undefined ? {} : { timezone: settings.timezone }),
      ...(settings.repo === undefined ? {} : { repo: settings.repo }),
      // A preview must not need the network.
      checkRemotes: !pulumi.runtime.isDryRun(),
    },
  });
  if (fleet === undefined) throw new pulumi.RunError(`the fleet file has errors:\n${formatDiagnostics(diagnostics)}`);
  if (diagnostics.length > 0) await pulumi.log.warn(formatDiagnostics(diagnostics));
  return fleet;
}

function stackSettings(config: pulumi.Config): StackSettings {
  return {
    config: config.get("config") ?? "~/.changelings/config.toml",
    timezone: config.get("timezone"),
    repo: config.get("repo"),
  };
}

/** Secret values by variable name: from the environment, else from `pulumi config set --secret changelings:NAME`. */
export type SecretValues = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * The values that are set for all secrets of a fleet.
 *
 * @throws pulumi.RunError naming all missing secrets if an update lacks a required one. A preview only warns, and so
 * does an update about changelings that it does not target
 */
export async function secretValues(fleet: FleetOf<Kinds>, config: pulumi.Config): Promise<SecretValues> {
  const names = new Set(fleet.changelings.flatMap(secretNames));
  const values = Object.fromEntries(
    [...names].flatMap((name) => {
      const value = process.env[name] ? pulumi.secret(process.env[name]) : config.getSecret(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const missing = missingSecrets(fleet, Object.fromEntries(Object.keys(values).map((name) => [name, "set"])));
  const targeted = targetedNames(process.env);
  const stopping = missing.filter(({ changeling }) => targeted?.has(changeling) ?? true);
  if (stopping.length > 0 && !pulumi.runtime.isDryRun()) throw new pulumi.RunError(missingInWords(stopping));
  if (missing.length > 0) await pulumi.log.warn(missingInWords(missing));
  return values;
}

/**
 * The secrets installed on this machine, for a preview that lacks required ones. `up` would be rejected anyway, so a
 * variable that is not exported in this shell must not show as removed.
 *
 * @returns none in an update
 */
export function keptSecrets(
  fleet: FleetOf<Kinds>,
  { name, renamedFrom }: ResolvedChangeling,
  values: SecretValues,
): SecretValues {
  if (!pulumi.runtime.isDryRun()) return {};
  const missing = missingSecrets(fleet, new Set(Object.keys(values))).filter(({ changeling }) => changeling === name);
  if (missing.length === 0) return {};
  const paths = installationPaths(thisInstallation());
  const installed = readSecrets(
    paths,
    installedUnder((each) => secretsPath(paths, each), { name, renamedFrom }),
  );
  return Object.fromEntries(
    missing
      .flatMap(({ names }) => names)
      .flatMap((each) => (installed[each] === undefined ? [] : [[each, pulumi.secret(installed[each])]])),
  );
}

function missingInWords(missing: readonly MissingSecret[]): string {
  const lines = missing.map(({ changeling, names }) => `${changeling} needs ${names.join(" or ")}, which is not set`);
  const remedy = secretRemedy("NAME");
  return `${lines.join("\n")}\n${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}`;
}

/** The Modal token in the stack's config (`changelings:MODAL_TOKEN_ID` and its SECRET): the environment's fallback. */
export async function modalTokenOfStack(config: pulumi.Config): Promise<ModalToken | undefined> {
  const [id, secret] = await Promise.all(["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"].map((name) => plain(config, name)));
  if (id !== undefined && secret !== undefined) return { id, secret };
  if (id === undefined && secret === undefined) return undefined;
  const [set, unset] = id === undefined ? ["SECRET", "ID"] : ["ID", "SECRET"];
  throw new pulumi.RunError(
    `changelings:MODAL_TOKEN_${set} is set, but changelings:MODAL_TOKEN_${unset} is not; set both or neither${orSetting(`--secret changelings:MODAL_TOKEN_${unset}`, ": ")}`,
  );
}

/** Requests to Modal before any resource exists need the plain value. It is passed to nothing but Modal. */
function plain(config: pulumi.Config, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const value = config.getSecret(name);
    if (value === undefined) resolve(undefined);
    else value.apply(resolve);
  });
}
