import type { Observed } from "./provider.ts";

/**
 * How the observed state differs from the declared one, in words for a preview; undefined if it does not.
 *
 * @param declared the provider's settings, by the names that `observed.settings` has
 */
export function driftFrom(
  declared: Readonly<Record<string, string>>,
  { release, replicas }: { readonly release: string; readonly replicas: number },
  observed: Observed | undefined,
): string | undefined {
  if (observed === undefined) return "it does not exist";
  const reasons: string[] = [];
  if (observed.release !== release) reasons.push(`release ${observed.release ?? "unknown"} runs, not ${release}`);
  if (observed.nodes.length !== replicas) reasons.push(`${observed.nodes.length} of ${replicas} nodes exist`);
  for (const { id, healthy, problem = "the reason is unknown" } of observed.nodes) {
    if (!healthy) reasons.push(`node ${id} is not healthy: ${problem}`);
  }
  for (const name of new Set([...Object.keys(declared), ...Object.keys(observed.settings)])) {
    const [wanted, live] = [declared[name], observed.settings[name]];
    if (wanted === live) continue;
    reasons.push(
      `${name} is ${live === undefined ? "not set" : shortened(live)}, not ${wanted === undefined ? "unset" : shortened(wanted)}`,
    );
  }
  return reasons.length === 0 ? undefined : reasons.join("; ");
}

function shortened(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
}
