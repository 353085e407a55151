import * as z from "zod/mini";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { installedDrift, writeInstalled } from "../../host/installed-file.ts";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { digestOfJson } from "../../lib/json.ts";
import { configOf, forwardingEnvironment } from "./forwarding-environment.ts";
import { configPath, type ForwardingConfig, forwardingConfig } from "./program/config.ts";
import { forwardingState } from "./state.ts";

const installed = z.looseObject({ digest: z.string() });

/** @throws if the server could not use it */
export function writeForwardingConfig(paths: InstallationPaths, config: ForwardingConfig): void {
  const checked = forwardingConfig.parse(config);
  writeInstalled(configPath(paths.forwarding), { ...checked, digest: digestOf(checked) });
}

/**
 * Describes how the installed config differs from what was installed; undefined if it does not.
 *
 * @param stated the environment of its Command in the stack's state; undefined if unknown
 */
export function forwardingConfigDrift(
  paths: InstallationPaths,
  stated?: Readonly<Record<string, unknown>>,
): string | undefined {
  return installedDrift(configPath(paths.forwarding), "config", (content) => {
    const parsed = installed.safeParse(content);
    if (!parsed.success) return false;
    const { digest, ...config } = parsed.data;
    if (digest !== digestOf(config)) return false;
    const environment = forwardingEnvironment.schema.safeParse(stated);
    // How the user invoked the CLI is not in the state, because it differs between people.
    const { cli, ...declared } = config;
    return !environment.success || digestOf(configOf(environment.data)) === digestOf(declared);
  });
}

function digestOf(config: object): string {
  return digestOfJson(config).slice(0, 16);
}

/**
 * Describes how the forwarding server differs from what the last `up` left; undefined if it does not.
 *
 * @param stated as for `forwardingConfigDrift`
 */
export function forwardingDrift(
  paths: InstallationPaths,
  stated?: Readonly<Record<string, unknown>>,
): string | undefined {
  const state = forwardingState(paths);
  if (!state.alive) return "the forwarding server is not running";
  const outdated = outdatedInWords(state);
  if (outdated !== undefined) return `the forwarding server ${outdated}`;
  return forwardingConfigDrift(paths, stated);
}
