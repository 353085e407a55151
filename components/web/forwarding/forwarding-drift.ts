import type { InstallationPaths } from "../../installation-paths.ts";
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
  if (!state.current) return "the forwarding server runs an older program";
  return forwardingConfigDrift(paths, stated);
}
