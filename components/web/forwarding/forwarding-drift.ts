import type { InstallationPaths } from "../../host/installation-paths.ts";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { forwardingConfigDrift } from "./installed-config.ts";
import { forwardingState } from "./state.ts";

/**
 * How the forwarding server differs from what the last `up` left, in words; undefined when it does not.
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
