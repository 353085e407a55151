import { cron } from "./cron/kind.ts";
import type { FleetOf } from "./fleet/kind.ts";
import { type LoadedFleetOf, type LoadOptions, loadFleetOf } from "./fleet/load.ts";
import { sandbox } from "./sandbox/kind.ts";
import { secretSuffixes } from "./secrets/command-suffixes.ts";
import { seedAgent } from "./seed-agent/kind.ts";
import { web } from "./web/kind.ts";

/** The kinds of changelings, by their names in the fleet file. The first is the default. */
export const kinds = {
  cron,
  web,
  sandbox,
  "seed-agent": seedAgent,
} as const;

export type Fleet = FleetOf<typeof kinds>;
export type LoadedFleet = LoadedFleetOf<typeof kinds>;

/** The suffixes of a changeling's Commands, for all kinds: `<name>-<suffix>`. */
export const commandSuffixes: readonly string[] = [
  ...secretSuffixes,
  ...Object.values(kinds).flatMap((kind): readonly string[] => kind.commandSuffixes),
];

/** Reads and checks a fleet file. Reports all diagnostics at once, and changes nothing. */
export function loadFleet(options: LoadOptions): Promise<LoadedFleet> {
  return loadFleetOf(kinds, options);
}
